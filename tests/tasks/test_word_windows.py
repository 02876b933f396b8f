import random

import numpy as np
import pytest

from hf_tasks.tasks.windows import word_windows


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
