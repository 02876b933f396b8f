import pytest

from hf_tasks.data.readers.conll import read_conll, read_conllu, read_segmented, read_slashed


def read(reader, text):
    """(line, row) pairs; problems as (line, message)."""
    rows = reader([line + "\n" for line in text.split("\n")], "data.conll")
    return [(line, str(row) if isinstance(row, ValueError) else row) for line, row in rows]


def test_conll_two_columns_with_tabs():
    assert read(read_conll, "Ann\tB-PER\nmet\tO\n\n\nBo\tB-PER") == [
        (1, {"tokens": ["Ann", "met"], "tags": ["B-PER", "O"]}),
        (5, {"tokens": ["Bo"], "tags": ["B-PER"]}),
    ]


def test_conll_2003_four_columns_with_blanks_and_docstart():
    text = "-DOCSTART- -X- -X- O\n\nEU NNP  B-NP B-ORG \nrejects VBZ B-VP O\n-DOCSTART- -X- -X- O\nBo NNP B-NP B-PER"
    assert read(read_conll, text) == [
        (3, {"tokens": ["EU", "rejects"], "pos": ["NNP", "VBZ"], "chunk": ["B-NP", "B-VP"], "tags": ["B-ORG", "O"]}),
        (6, {"tokens": ["Bo"], "pos": ["NNP"], "chunk": ["B-NP"], "tags": ["B-PER"]}),
    ]


def test_conll_other_middle_columns_are_numbered():
    assert read(read_conll, "a 1 O\n\nb 2 X") == [
        (1, {"tokens": ["a"], "column_2": ["1"], "tags": ["O"]}),
        (3, {"tokens": ["b"], "column_2": ["2"], "tags": ["X"]}),
    ]


def test_conll_one_column_is_unlabelled():
    assert read(read_conll, "Ann\nmet\n\nBo") == [(1, {"tokens": ["Ann", "met"]}), (4, {"tokens": ["Bo"]})]


def test_conll_keeps_odd_words():
    # a word of two words, an ideographic blank, a zero-width space, a hash sign, a blank
    text = "New York\tB-LOC\n\u3000\tO\n\u200b\tO\n#\tO\n \tO"
    tokens = ["New York", "\u3000", "\u200b", "#", " "]
    assert read(read_conll, text) == [(1, {"tokens": tokens, "tags": ["B-LOC", "O", "O", "O", "O"]})]


def test_conll_sentences_that_cannot_be_read_are_told_apart():
    text = "a\tX\n\tO\n\na X\nb\tO\n\n" + "w\tO\n" * 2001
    assert read(read_conll, text) == [
        (2, "the word is empty; write it in the first column, or remove the line"),
        (
            4,
            "2 columns separated by blanks where the first line has 2 separated by tabs; "
            "write 2 columns, separated by tabs",
        ),
        (7, "a sentence of 2,001 words without a blank line; write one after each sentence"),
    ]


def test_conll_lines_of_blanks_end_a_sentence_and_carriage_returns_are_no_tags():
    assert read(read_conll, "a\tO\r\n \t\r\nb\tX\r") == [
        (1, {"tokens": ["a"], "tags": ["O"]}),
        (3, {"tokens": ["b"], "tags": ["X"]}),
    ]


def test_conll_a_hash_sign_is_a_word_and_metadata_is_not():
    text = "# id = 7\n# text = # tag\n# O\nwow O\n# X\n\n# id 9\tdomain=en\n# _ _ O"
    assert read(read_conll, text) == [
        (3, {"tokens": ["#", "wow", "#"], "tags": ["O", "O", "X"]}),
        (8, "4 columns where the first line has 2; separate the columns in one way"),
    ]


def test_conll_bad_lines_are_named():
    assert read(read_conll, "a O\nb\n\nc O\nd x O\n\ne O") == [
        (2, "1 column where the first line has 2; write the word and its tag"),
        (5, "3 columns where the first line has 2; separate the columns in one way"),
        (7, {"tokens": ["e"], "tags": ["O"]}),
    ]
    assert read(read_conll, "a\tO\nb\t") == [(2, 'the tag of "b" is missing; write it in the last column')]


CONLLU = """\
# sent_id = 1
# text = I'm in.
1-2\tI'm\t_\t_\t_\t_\t_\t_\t_\t_
1\tI\tI\tPRON\tPRP\tCase=Nom\t3\tnsubj\t3:nsubj\t_
2\t'm\tbe\tAUX\tVBP\t_\t3\tcop\t3:cop\t_
2.1\tright\tright\tADV\tRB\t_\t_\t_\t3:advmod\t_
3\tin 2\tin\tADV\tRB\t_\t0\troot\t0:root\tSpaceAfter=No

# sent_id = 2
1\t#\t#\tSYM\tNN\t_\t0\troot\t0:root\t_
"""


def test_conllu_skips_what_carries_no_tag():
    (first, row), (second, other) = read(read_conllu, CONLLU)
    assert (first, second) == (3, 10)
    assert row["tokens"] == ["I", "'m", "in 2"]
    assert row["upos"] == ["PRON", "AUX", "ADV"]
    assert row["head"] == ["3", "3", "0"]
    assert list(row) == ["tokens", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc"]
    assert other["tokens"] == ["#"]


def test_conllu_with_too_few_columns():
    assert read(read_conllu, "1\tI\tPRON\n\n" + CONLLU)[0] == (
        1, "3 columns where CoNLL-U has 10, separated by tabs; correct the line",
    )  # fmt: skip


def test_segmented_words_become_characters():
    assert read(read_segmented, "\n新华社  北京\u3000电 \n ") == [
        (2, {"tokens": list("新华社北京电"), "tags": list("BMEBES")}),
    ]


def test_slashed_takes_the_last_slash():
    assert read(read_slashed, "1/2/CD of/IN //SYM\n\nBo/NN") == [
        (1, {"tokens": ["1/2", "of", "/"], "tags": ["CD", "IN", "SYM"]}),
        (3, {"tokens": ["Bo"], "tags": ["NN"]}),
    ]


@pytest.mark.parametrize("bad", ["word", "word/", "/NN"])
def test_slashed_without_word_or_tag(bad):
    assert read(read_slashed, f"Bo/NN {bad}") == [
        (1, f'"{bad}" does not have the form word/TAG; write the word, a slash and its tag')
    ]
