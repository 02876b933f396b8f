"""Windows of texts, contexts and words, and the special tokens around them."""

import random

import numpy as np
import pytest
from transformers import AutoTokenizer

from hf_tasks.tasks.question_answering.features import labels, positions
from hf_tasks.tasks.windows import Stretches, Tokens, joined, template, tokenized, windows, word_windows


@pytest.fixture(params=["bert", "distilbert", "roberta", "albert"])
def tokenizer(request, tiny):
    return AutoTokenizer.from_pretrained(tiny(request.param))


def one(text, tokenizer):
    """The ids and offsets of a text."""
    tokens, _ = tokenized([text], tokenizer, offsets=True)
    return tokens.ids, tokens.offsets


def test_offsets_and_ids_are_those_of_the_tokenizer(tokenizer):
    texts = ["john lives in paris", "who?", "john lives in paris", "x\u00e9 \U0001f600 ok", ""]
    tokens, which = tokenized(texts, tokenizer, offsets=True)
    assert which.tolist() == [0, 1, 0, 2, 3]
    assert len(tokens.begin) == 5
    for text, i in zip(texts, which, strict=True):
        expected = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        own = slice(tokens.begin[i], tokens.begin[i + 1])
        assert tokens.ids[own].tolist() == expected["input_ids"]
        assert tokens.offsets[own, 1].tolist() == [end for _, end in expected["offset_mapping"]]
        assert tokens.size(np.array([i])).tolist() == [len(expected["input_ids"])]
    plain, _ = tokenized(texts, tokenizer, offsets=False)
    assert np.array_equal(plain.ids, tokens.ids)
    assert not plain.offsets.any()


def test_an_earlier_call_with_truncation_and_padding_changes_nothing(tokenizer):
    before, _ = one("john lives in paris", tokenizer)
    tokenizer(["john lives in paris", "who?"], truncation=True, max_length=4, padding="max_length")
    assert one("john lives in paris", tokenizer)[0].tolist() == before.tolist()
    tokenizer(["john lives in paris"], truncation=True, max_length=4)
    assert tokenized(["john lives in paris"], tokenizer, offsets=False)[0].ids.tolist() == before.tolist()


def test_no_token_begins_with_a_blank(tokenizer):
    texts = ["john  lives\tin\u00a0paris\nrome", " ", "", "  rome\u3000paris "]
    tokens, _ = tokenized(texts, tokenizer, offsets=True)
    pieces = [
        "".join(text[a:b] for a, b in tokens.offsets[begin:end])
        for text, begin, end in zip(texts, tokens.begin, tokens.begin[1:], strict=False)
    ]
    assert pieces == ["johnlivesinparisrome", "", "", "romeparis"]


def test_the_template_gives_what_the_tokenizer_gives(tokenizer):
    questions, contexts = ["where lives john?", "who?"], ["john lives in paris", "rome"]
    layout = template(tokenizer, 2)
    first, second = (
        Stretches(tokens.ids, tokens.begin[:-1], tokens.size(which))
        for tokens, which in (tokenized(texts, tokenizer, offsets=False) for texts in (questions, contexts))
    )
    expected = tokenizer(questions, contexts)
    features = layout.features(first, second)
    for name in ("input_ids", "attention_mask", "token_type_ids"):
        assert name not in expected or [row.tolist() for row in features[name]] == expected[name]
    assert layout.special_tokens == tokenizer.num_special_tokens_to_add(pair=True)
    assert layout.begin(first.size).tolist() == [expected.sequence_ids(i).index(1) for i in range(2)]
    alone = template(tokenizer, 1)
    assert [row.tolist() for row in alone.features(first)["input_ids"]] == tokenizer(questions)["input_ids"]
    assert alone.begin() == tokenizer(questions).sequence_ids(0).index(0)


def test_templates_of_two_families(tiny):
    bert, roberta = (template(AutoTokenizer.from_pretrained(tiny(name)), 2) for name in ("bert", "roberta"))
    assert [ids.tolist() for ids in bert.ids] == [[2], [3], [3]]
    assert ([types.tolist() for types in bert.types], bert.sequence_types) == ([[0], [0], [1]], (0, 1))
    assert [ids.tolist() for ids in roberta.ids] == [[0], [2, 2], [2]]


def test_stretches_are_joined_row_by_row():
    letters = Stretches(np.arange(10), np.array([0, 4, 9]), np.array([3, 0, 1]))
    signs = Stretches.same(np.array([-1, -2]), 3)
    assert [row.tolist() for row in joined(signs, letters, signs)] == [
        [-1, -2, 0, 1, 2, -1, -2], [-1, -2, -1, -2], [-1, -2, 9, -1, -2],
    ]  # fmt: skip


def test_windows():
    length, size = np.array([10, 11, 0, 4]), np.array([4, 4, 4, 4])
    context, begin, held = windows(length, size, 1)
    assert context.tolist() == [0, 0, 0, 1, 1, 1, 1, 2, 3]
    assert begin.tolist() == [0, 3, 6, 0, 3, 6, 9, 0, 0]
    assert held.tolist() == [4, 4, 4, 4, 4, 4, 2, 0, 4]


@pytest.mark.parametrize(
    "length, size, stride, expected",
    [
        (10, 10, 3, [(0, 10)]),
        (11, 10, 9, [(0, 10), (1, 11)]),
        (8, 4, 0, [(0, 4), (4, 8)]),
    ],
)
def test_windows_of_one_context(length, size, stride, expected):
    _, begin, held = windows(np.array([length]), np.array([size]), stride)
    assert list(zip(begin.tolist(), (begin + held).tolist(), strict=True)) == expected


TOKENS = Tokens(
    np.arange(8), np.array([[0, 9], [9, 12], [12, 14], [0, 1], [1, 3], [3, 4], [4, 5], [5, 6]]), np.array([0, 3, 3, 8])
)
"""Three texts, the second one empty."""


@pytest.mark.parametrize(
    "answer, expected",
    [
        ((2, 4), (4, 5)),  # two tokens, the first of them longer
        ((1, 4), (4, 5)),
        ((0, 1), (3, 3)),
        ((4, 6), (6, 7)),
    ],
)
def test_positions_of_characters(answer, expected):
    found = positions(TOKENS, np.array([2, 0]), np.array([answer, (0, 10)]))
    assert found.tolist() == [list(expected), [0, 1]]


def test_labels_of_windows():
    text = np.array([2, 1, 0, 2, 2])
    answer = np.array([(1, 4), (0, 1), (0, 0), (0, 7), (3, 6)])
    example = np.array([0, 0, 0, 1, 2, 3, 4])
    context = Stretches(TOKENS.ids, np.array([3, 4, 5, 3, 0, 3, 5]), np.array([5, 2, 3, 0, 3, 5, 3]))
    found = labels(TOKENS, text, answer, example, context)
    assert found.tolist() == [
        [1, 2], [0, 1],
        [-1, -1],  # begins before the window
        [-1, -1],  # no tokens
        [-1, -1],  # no answer
        [-1, -1],  # ends after the text
        [0, 2],
    ]  # fmt: skip


# -- windows of words


def places(sizes, room, stride):
    return [
        (w.start, w.end, [*range(w.first_decided, w.end_decided)]) for w in word_windows(np.array(sizes), room, stride)
    ]


def test_a_sentence_that_fits_is_one_window():
    assert places([1, 2, 1], room=4, stride=2) == [(0, 3, [0, 1, 2])]


def test_windows_overlap_and_each_word_is_decided_where_it_has_more_context():
    # 8 words of one sub-word; windows of 4 that share 2. Word 2 has 1 word to its right in the first window and 0 to
    # its left in the second; word 3 has 0 and 1.
    assert places([1] * 8, room=4, stride=2) == [(0, 4, [0, 1, 2]), (2, 6, [3, 4]), (4, 8, [5, 6, 7])]


def test_windows_without_overlap():
    assert places([1] * 5, room=2, stride=0) == [(0, 2, [0, 1]), (2, 4, [2, 3]), (4, 5, [4])]


def test_windows_are_cut_between_words():
    # words of 3, 3, 2 and 1 sub-words: the second does not fit beside the first, and a stride of 2 holds only the third
    assert places([3, 3, 2, 1], room=5, stride=2) == [(0, 1, [0]), (1, 3, [1, 2]), (2, 4, [3])]


def test_words_as_large_as_the_window():
    assert places([5, 1, 5, 1], room=5, stride=2) == [(0, 1, [0]), (1, 2, [1]), (2, 3, [2]), (3, 4, [3])]


@pytest.mark.parametrize("seed", range(20))
def test_every_word_is_decided_once_and_no_window_is_too_large(seed):
    draw = random.Random(seed)
    room = draw.randint(3, 12)
    stride = draw.randint(0, room // 2)
    sizes = np.array([draw.randint(1, draw.choice([1, 3, room])) for _ in range(draw.randint(1, 60))])
    found = word_windows(sizes, room, stride)
    decided = [word for window in found for word in range(window.first_decided, window.end_decided)]
    assert decided == list(range(len(sizes)))
    contexts = np.array([[_context(sizes, window, word) for word in decided] for window in found])
    owners = [i for i, window in enumerate(found) for _ in range(window.first_decided, window.end_decided)]
    assert [contexts[owner, word] for word, owner in enumerate(owners)] == contexts.max(axis=0).tolist()
    for window, following in zip(found, [*found[1:], None], strict=True):
        assert sizes[window.start : window.end].sum() <= room
        if following:
            assert window.start < following.start <= window.end < following.end
            assert sizes[following.start : window.end].sum() <= stride


def _context(sizes, window, word):
    """Sub-words between a word and the nearer edge of a window; -1 where the word is not in the window."""
    if not window.start <= word < window.end:
        return -1
    return min(sizes[window.start : word].sum(), sizes[word + 1 : window.end].sum())
