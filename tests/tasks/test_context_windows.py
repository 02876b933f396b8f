import numpy as np
import pytest
from transformers import AutoTokenizer

from hf_tasks.tasks.context_windows import Tokens, pair_template, token_ids, tokenized, windows


@pytest.fixture(params=["bert", "distilbert", "roberta", "albert"])
def tokenizer(request, tiny):
    return AutoTokenizer.from_pretrained(tiny(request.param))


def of_length(n):
    return Tokens(np.arange(n), np.stack([np.arange(n), np.arange(n) + 1], axis=1))


def test_offsets_and_ids_are_those_of_the_tokenizer(tokenizer):
    texts = ["john lives in paris", "who?", "john lives in paris", "x\u00e9 \U0001f600 ok", ""]
    found = tokenized(texts, tokenizer)
    assert list(found) == ["john lives in paris", "who?", "x\u00e9 \U0001f600 ok", ""]
    for text, tokens in found.items():
        expected = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        assert tokens.ids.tolist() == expected["input_ids"] == token_ids([text], tokenizer)[text].tolist()
        assert tokens.offsets[:, 1].tolist() == [end for _, end in expected["offset_mapping"]]


def test_no_token_begins_with_a_blank(tokenizer):
    text = "john  lives\tin\u00a0paris\nrome"
    pieces = [text[start:end] for start, end in tokenized([text], tokenizer)[text].offsets]
    assert "".join(pieces) == "johnlivesinparisrome"


def test_the_template_gives_what_the_tokenizer_gives(tokenizer):
    question, context = "where lives john?", "john lives in paris"
    template, expected = pair_template(tokenizer), tokenizer(question, context)
    first, second = (token_ids([text], tokenizer)[text] for text in (question, context))
    assert template.input_ids(first, second).tolist() == expected["input_ids"]
    assert template.special_tokens == tokenizer.num_special_tokens_to_add(pair=True)
    assert template.context_start(len(first)) == expected.sequence_ids(0).index(1)
    if "token_type_ids" in expected:
        assert template.token_type_ids(len(first), len(second)).tolist() == expected["token_type_ids"]


def test_templates_of_two_families(tiny):
    bert, roberta = (pair_template(AutoTokenizer.from_pretrained(tiny(name))) for name in ("bert", "roberta"))
    assert [ids.tolist() for ids in bert.ids] == [[2], [3], [3]]
    assert ([types.tolist() for types in bert.types], bert.sequence_types) == ([[0], [0], [1]], (0, 1))
    assert [ids.tolist() for ids in roberta.ids] == [[0], [2, 2], [2]]


@pytest.mark.parametrize(
    "length, size, stride, expected",
    [
        (10, 4, 1, [(0, 4), (3, 7), (6, 10)]),
        (11, 4, 1, [(0, 4), (3, 7), (6, 10), (9, 11)]),
        (10, 10, 3, [(0, 10)]),
        (11, 10, 9, [(0, 10), (1, 11)]),
        (8, 4, 0, [(0, 4), (4, 8)]),
        (0, 4, 1, [(0, 0)]),
    ],
)
def test_windows(length, size, stride, expected):
    found = [window.ids.tolist() for window in windows(of_length(length), size, stride)]
    assert found == [list(range(start, end)) for start, end in expected]


@pytest.mark.parametrize(
    "answer, expected",
    [
        ((2, 4), (1, 2)),  # "cd": two tokens, the first of them longer
        ((1, 4), (1, 2)),
        ((0, 1), (0, 0)),
        ((4, 6), (3, 4)),
        ((0, 7), None),
    ],
)
def test_positions_of_characters(answer, expected):
    tokens = Tokens(np.arange(5), np.array([[0, 1], [1, 3], [3, 4], [4, 5], [5, 6]]))
    assert tokens.positions(answer) == expected


def test_characters_outside_a_stretch_have_no_position():
    stretch = of_length(9)[3:6]
    assert stretch.positions((3, 6)) == (0, 2)
    assert stretch.positions((2, 4)) is None
    assert stretch.positions((5, 7)) is None
    assert of_length(0).positions((0, 1)) is None
