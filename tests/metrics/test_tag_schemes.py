import random
import warnings

import pytest
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import BILOU, IOB1, IOB2, IOBES
from seqeval.scheme import Entities as SeqevalEntities

from hf_tasks.metrics.tag_schemes import Entity, Tags, broken, chunks, complete, detect, entities, surface, tags_of

# Ann Lee met Bo in New York; and two neighbours of one type.
SENTENCES = {
    "IOB1": ["I-PER I-PER O I-PER O I-LOC I-LOC", "I-PER B-PER I-PER"],
    "IOB2": ["B-PER I-PER O B-PER O B-LOC I-LOC", "B-PER B-PER I-PER"],
    "BIOES": ["B-PER E-PER O S-PER O B-LOC E-LOC", "S-PER B-PER I-PER E-PER"],
    "BILOU": ["B-PER L-PER O U-PER O B-LOC L-LOC", "U-PER B-PER I-PER L-PER"],
    "BMES": ["B-PER E-PER O S-PER O B-LOC E-LOC", "S-PER B-PER M-PER E-PER"],
}


def row(text):
    return text.split()


@pytest.mark.parametrize("scheme", SENTENCES)
def test_every_scheme_writes_down_the_same_entities(scheme):
    tags = SENTENCES[scheme][0].split()
    expected = [Entity(0, 2, "PER"), Entity(3, 4, "PER"), Entity(5, 7, "LOC")]
    assert entities(tags, scheme) == chunks(tags) == expected
    assert broken(tags, scheme) == []


@pytest.mark.parametrize("scheme", SENTENCES)
def test_scheme_is_detected(scheme):
    assert detect([row.split() for row in SENTENCES[scheme]]) == scheme


@pytest.mark.parametrize(
    ("rows", "scheme"),
    [
        (["O I-LOC I-LOC O I-PER"], "IOB1"),  # no B- at all
        (["I-A B-A O I-A", "I-B"], "IOB1"),
        (["B-A O B-A O I-A O"], "IOB2"),  # one I- out of place does not make it IOB1
        (["O B-A O"], "IOB2"),
        (["B I O O B"], "IOB2"),  # entities without types
        (["B-NN E-NN S-VV B-NN M-NN E-NN"], "BMES"),  # words and their parts of speech at once, no O
        (["S-A O B-A E-A"], "BIOES"),
        (["B E S S"], "segmentation"),
        (["S"], "segmentation"),
        (["B I B B"], "segmentation"),
        (["NOUN VERB O"], "none"),
        (["-LRB- NN -RRB-"], "none"),  # Penn tags with dashes
        (["O O"], "none"),
    ],
)
def test_scheme_of_unusual_tags(rows, scheme):
    assert detect([row.split() for row in rows]) == scheme


def test_broken_tags_name_no_entity_but_are_forgiven_by_chunks():
    tags = row("O I-PER I-PER O B-LOC I-ORG I-ORG")
    assert entities(tags, "IOB2") == [Entity(4, 5, "LOC")]
    assert chunks(tags) == [Entity(1, 3, "PER"), Entity(4, 5, "LOC"), Entity(5, 7, "ORG")]
    assert broken(tags, "IOB2") == [Entity(1, 3, "PER"), Entity(5, 7, "ORG")]


def test_an_entity_that_never_ends_is_broken_in_bioes():
    assert entities(row("B-A I-A O B-A B-A E-A"), "BIOES") == [Entity(4, 6, "A")]
    assert broken(row("B-A I-A O B-A B-A E-A"), "BIOES") == [Entity(0, 2, "A"), Entity(3, 4, "A")]


def test_types_may_contain_dashes_dots_and_ideographs():
    assert entities(["B-creative-work", "I-creative-work", "B-PER.NAM", "B-人名"], "IOB2") == [
        Entity(0, 2, "creative-work"), Entity(2, 3, "PER.NAM"), Entity(3, 4, "人名"),
    ]  # fmt: skip


def test_segmentation_puts_each_character_in_one_word():
    assert chunks(row("B E S B M E")) == [Entity(0, 2, "_"), Entity(2, 3, "_"), Entity(3, 6, "_")]
    # sequences that no segmentation gives, but a model may
    assert [word[:2] for word in chunks(row("M E E B B S M"))] == [(0, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7)]
    assert [word[:2] for word in chunks(row("B I I B B I"))] == [(0, 3), (3, 4), (4, 6)]


def _random_rows(prefixes, seed, rows=400):
    draw = random.Random(seed)
    tags = ["O", "O", *(f"{prefix}-{kind}" for prefix in prefixes for kind in ("A", "B"))]
    return [[draw.choice(tags) for _ in range(draw.randint(1, 9))] for _ in range(rows)]


@pytest.mark.parametrize(("scheme", "theirs"), [("IOB2", IOB2), ("BIOES", IOBES), ("BILOU", BILOU)])
def test_entities_equal_seqevals_strict_mode_on_any_sequence(scheme, theirs):
    rows = _random_rows({"IOB2": "BI", "BIOES": "BIES", "BILOU": "BILU"}[scheme], seed=1)
    for row, expected in zip(rows, SeqevalEntities(rows, theirs).entities, strict=True):
        assert entities(row, scheme) == [Entity(e.start, e.end, e.tag) for e in expected], row


def test_entities_equal_seqevals_strict_mode_on_iob1():
    rows = [row for row in _random_rows("BI", seed=2, rows=3000) if _is_iob1(row)]
    assert len(rows) > 300
    for row, expected in zip(rows, SeqevalEntities(rows, IOB1).entities, strict=True):
        assert entities(row, "IOB1") == [Entity(e.start, e.end, e.tag) for e in expected], row


def _is_iob1(row):
    """B- only after a tag of the same type."""
    return all(not tag.startswith("B") or before[1:] == tag[1:] for before, tag in zip(["O", *row], row, strict=False))


def test_chunks_equal_seqevals_default_mode_on_any_sequence():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for row in _random_rows("BIES", seed=3):
            assert chunks(row) == [Entity(start, end + 1, kind) for kind, start, end in get_entities(row)], row


@pytest.mark.parametrize("scheme", ["IOB2", "BIOES"])
def test_every_word_that_is_not_o_is_in_one_entity_or_one_broken_stretch_of_iob2(scheme):
    for row in _random_rows("BI", seed=4):
        covered = sorted(i for chunk in chunks(row) for i in range(chunk.start, chunk.end))
        assert covered == [i for i, tag in enumerate(row) if tag != "O"]
        assert sorted(entities(row, scheme) + broken(row, scheme)) == chunks(row)


def test_tags_of_entities_and_back():
    spans = [Entity(0, 1, "A"), Entity(1, 3, "A"), Entity(4, 5, "B")]
    assert tags_of(spans, 6) == ["B-A", "B-A", "I-A", "O", "B-B", "O"]
    assert entities(tags_of(spans, 6), "IOB2") == spans


def test_complete_adds_the_prefixes_that_the_training_data_lacks():
    assert complete({"B-PER", "O", "B-LOC", "I-LOC"}, "IOB2") == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert complete({"O", "S-A"}, "BIOES") == ("O", "B-A", "I-A", "E-A", "S-A")
    assert complete({"U-A"}, "BILOU") == ("B-A", "I-A", "L-A", "U-A")
    assert complete({"B-A", "E-A"}, "BMES") == ("B-A", "M-A", "E-A", "S-A")
    assert complete({"B", "O"}, "IOB2") == ("O", "B", "I")
    assert complete({"S"}, "segmentation") == ("B", "M", "E", "S")
    assert complete({"B", "I"}, "segmentation") == ("B", "I")
    assert complete({"B", "I", "E"}, "segmentation") == ("B", "I", "E", "S")
    assert complete({"VERB", "NOUN"}, "none") == ("NOUN", "VERB")


def test_surface_joins_characters_without_blanks():
    assert surface(["New", "York"]) == "New York"
    assert surface(["北", "京"]) == "北京"


def test_tags_are_a_list_that_knows_its_words():
    tags = Tags(["B-A", "O"], ["Ann", "met"])
    assert tags == ["B-A", "O"]
    assert tags.tokens == ["Ann", "met"]
