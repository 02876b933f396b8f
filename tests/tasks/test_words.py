import pytest

from hf_tasks.metrics.tag_schemes import Entity
from hf_tasks.tasks.token_classification.words import entities_of, split, tokens_of_tool


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Ann's here.", ["Ann", "'", "s", "here", "."]),
        ("naïve e\u0301tude हिन्दी", ["naïve", "e\u0301tude", "हिन्दी"]),  # marks stay with their letters
        ("我在New York。", ["我", "在", "New", "York", "。"]),
        ("東京タワー", ["東", "京", "タ", "ワ", "ー"]),
        ("한국어 a\u3000b\u00a0c", ["한국어", "a", "b", "c"]),
        ("ok ☝\ufe0f😀😀", ["ok", "☝\ufe0f", "😀", "😀"]),
        ("  ", []),
        ("", []),
    ],
)
def test_split_into_words(text, tokens):
    row = split(text, "words")
    assert row["tokens"] == tokens
    assert [text[start:end] for start, end in row["offsets"]] == tokens


def test_split_into_characters():
    assert split("共 a1", "characters") == {"tokens": ["共", "a", "1"], "offsets": [[0, 1], [2, 3], [3, 4]]}


TEXT = "Ann Lee met Bo in New York."
OFFSETS = split(TEXT, "words")["offsets"]


@pytest.mark.parametrize(
    "spans",
    [
        [[0, 7, "PER"], [18, 26, "LOC"]],  # doccano, spaCy
        [(18, 26, "LOC"), (0, 7, "PER")],  # in any order
        [{"start": 0, "end": 7, "label": "PER", "token_start": 0}, {"start": 18, "end": 26, "label": "LOC"}],  # Prodigy
        [{"id": 9, "start_offset": 0, "end_offset": 7, "label": "PER"}, [18, 26, "LOC"]],  # doccano's entities
        [{"start": 0, "end": 7, "text": "Ann Lee", "labels": ["PER"]}, [18, 26, "LOC"]],  # Label Studio
        [[0, 8, "PER"], [17, 26, "LOC"]],  # with the blanks around
    ],
)
def test_spans_of_every_tool_cover_the_same_words(spans):
    assert entities_of(spans, TEXT, OFFSETS) == [Entity(0, 2, "PER"), Entity(5, 7, "LOC")]


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([[0, 5, "X"]], 'span 0-5 "Ann L" cuts the word "Lee"; let it begin and end where words do'),
        ([[1, 3, "X"]], 'span 1-3 "nn" cuts the word "Ann"; let it begin and end where words do'),
        ([[1, 2, "X"]], 'span 1-2 "n" cuts the word "Ann"; let it begin and end where words do'),
        ([[3, 4, "X"]], 'span 3-4 " " covers no word; correct its offsets or remove it'),
        ([[26, 28, "X"]], "span 26-28 is not inside the text of 27 characters; correct its offsets"),
        ([[-3, 3, "X"]], "span -3-3 is not inside the text of 27 characters; correct its offsets"),
        ([[3, 3, "X"]], "span 3-3 is not inside the text of 27 characters; correct its offsets"),
        (
            [[4, 11, "Y"], [0, 7, "X"]],
            'span 0-7 "Ann Lee" and span 4-11 "Lee met" overlap, and a word has one tag; keep one of them',
        ),
        ([[0, 3]], "the span [0, 3] is not [start, end, label] or {start, end, label}; correct it"),
        (
            [{"start": 0, "end": 3, "labels": ["A", "B"]}],
            "the span {'start': 0, 'end': 3, 'labels': ['A', 'B']} is not [start, end, label] or {start, end, label}; "
            "correct it",
        ),
        (["PER"], "the span 'PER' is not [start, end, label] or {start, end, label}; correct it"),
    ],
)
def test_spans_that_cannot_be_tags(spans, message):
    with pytest.raises(ValueError) as error:
        entities_of(spans, TEXT, OFFSETS)
    assert str(error.value) == message


def test_tokens_of_a_tool():
    tokens = [{"text": "Ann", "start": 0, "end": 3, "id": 0}, {"text": "met", "start": 4, "end": 7, "id": 1}]
    assert tokens_of_tool(tokens) == {"tokens": ["Ann", "met"], "offsets": [[0, 3], [4, 7]]}
    with pytest.raises(ValueError) as error:
        tokens_of_tool([{"text": "Ann"}])
    assert str(error.value) == "each token needs the keys text, start and end; write them, or plain words"
