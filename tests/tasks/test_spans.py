import numpy as np
import pytest

from hf_tasks.tasks.question_answering.spans import Candidates, Windows, best_spans, first_spans


def search(start, end, *, length=None, context=None, n_best_size=20, max_answer_length=30):
    """The spans of one window, as (first, last, score), best first."""
    length = length or len(start)
    first, stop = context or (0, length)
    where = Windows(*(np.array([value]) for value in (length, first, stop)))
    spans = best_spans(*np.array([[start], [end]], np.float32), where, n_best_size, max_answer_length)
    rows = zip(spans.start[0].tolist(), spans.end[0].tolist(), spans.score[0].tolist(), strict=True)
    return [row for row in rows if np.isfinite(row[2])]


def double_loop(start, end, windows, n_best_size, max_answer_length):
    """The candidates of each window as run_qa.py of transformers finds them, best first."""
    found = []
    for row in range(len(start)):
        length, first, stop = (int(column[row]) for column in vars(windows).values())
        starts = np.argsort(start[row, :length], kind="stable")[-1 : -n_best_size - 1 : -1]
        ends = np.argsort(end[row, :length], kind="stable")[-1 : -n_best_size - 1 : -1]
        spans = []
        for s in starts.tolist():
            for e in ends.tolist():
                if s < first or e < first or s >= stop or e >= stop:
                    continue
                if e < s or e - s + 1 > max_answer_length:
                    continue
                spans.append((s, e, start[row, s] + end[row, e]))
        found.append(sorted(spans, key=lambda span: span[2], reverse=True)[:n_best_size])
    return found


# -- one window


def test_all_spans_of_a_small_window_best_first():
    assert search([1.0, 4.0, 0.0], [2.0, 3.0, 8.0]) == [
        (1, 2, 12.0), (0, 2, 9.0), (2, 2, 8.0), (1, 1, 7.0), (0, 1, 4.0), (0, 0, 3.0),
    ]  # fmt: skip


def test_spans_stay_inside_the_context():
    start, end = [9.0, 8.0, 1.0, 2.0, 7.0], [9.0, 8.0, 1.0, 2.0, 7.0]
    assert search(start, end, context=(2, 4)) == [(3, 3, 4.0), (2, 3, 3.0), (2, 2, 2.0)]


def test_spans_are_not_longer_than_max_answer_length():
    spans = search([5.0, 0.5, 0.25, 0.0], [0.0, 1.0, 2.0, 9.0], max_answer_length=3)
    assert spans == [
        (1, 3, 9.5), (2, 3, 9.25), (3, 3, 9.0), (0, 2, 7.0), (0, 1, 6.0), (0, 0, 5.0), (1, 2, 2.5), (2, 2, 2.25),
        (1, 1, 1.5),
    ]  # fmt: skip


def test_padding_is_not_looked_at_even_where_its_logits_are_highest():
    spans = search([1.0, 2.0, 50.0, 60.0], [1.0, 2.0, 50.0, 60.0], length=2, n_best_size=2)
    assert spans == [(1, 1, 4.0), (0, 1, 3.0)]


def test_candidates_are_the_pairs_of_the_highest_starts_and_ends():
    start, end = [5.0, 4.5, 0.0, 0.0], [0.0, 0.0, 4.0, 5.0]
    assert search(start, end, n_best_size=2) == [(0, 3, 10.0), (1, 3, 9.5)]
    assert search(start, end, n_best_size=1) == [(0, 3, 10.0)]


def test_a_window_whose_highest_starts_all_follow_its_highest_ends_gives_its_best_span_of_all():
    start, end = [1.0, 0.5, 8.0, 9.0], [9.0, 8.0, 0.25, 2.0]
    assert search(start, end, n_best_size=1) == [(3, 3, 11.0)]
    assert search(start, end, n_best_size=1, context=(0, 3)) == [(0, 0, 10.0)]
    assert search(start, end, n_best_size=1, context=(1, 3)) == [(1, 1, 8.5)]


def test_a_window_without_context_has_no_span():
    assert search([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], context=(2, 2)) == []


def made_up(kind, seed):
    """(2, 300, 50) logits, and windows of 8 to 50 tokens."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(2, 300, 50)).astype(np.float32)
    logits = {"noise": logits, "ties": logits.round(), "wide": logits * 8, "flat": np.zeros_like(logits)}[kind]
    length, first = generator.integers(8, 51, 300), generator.integers(1, 6, 300)
    return logits, Windows(length, first, length - generator.integers(1, 3, 300))


def best_of_all(start, end, max_answer_length):
    """(first, last, score) of the best span: of equals the earliest start, the latest end."""
    size = len(start)
    every = [(start[s] + end[e], -s, e) for s in range(size) for e in range(s, min(s + max_answer_length, size))]
    score, first, last = max(every)
    return -first, last, score


@pytest.mark.parametrize("n_best_size, max_answer_length", [(20, 30), (5, 3), (1, 30), (64, 4)])
@pytest.mark.parametrize("kind", ["noise", "ties", "wide", "flat"])
def test_the_same_spans_as_the_double_loop(n_best_size, max_answer_length, kind):
    (start, end), windows = made_up(kind, n_best_size)
    expected = double_loop(start, end, windows, n_best_size, max_answer_length)
    spans = best_spans(start, end, windows, n_best_size, max_answer_length)
    compared = 0
    for row, rows in enumerate(expected):
        if rows:  # the double loop has nothing to say of the others
            n = len(rows)
            found = zip(spans.start[row, :n].tolist(), spans.end[row, :n].tolist(), spans.score[row, :n], strict=True)
            assert list(found) == rows
            assert np.isneginf(spans.score[row, n:]).all()
            compared += 1
        else:
            first = windows.context_start[row]
            context = slice(first, windows.context_end[row])
            best = best_of_all(start[row, context], end[row, context], max_answer_length)
            assert (spans.start[row, 0] - first, spans.end[row, 0] - first, spans.score[row, 0]) == best
            assert np.isneginf(spans.score[row, 1:]).all()
    if (kind, n_best_size) == ("flat", 1):  # the one candidate is the last token, which is no context
        assert compared == 0
    else:
        assert compared > 30


@pytest.mark.parametrize(
    "kind, sure",
    [
        ("noise", [300, 220, 106, 300]),
        ("ties", [129, 91, 20, 144]),
        ("wide", [300, 220, 106, 300]),
        ("flat", [2, 0, 0, 2]),
    ],
)
def test_the_first_span_is_that_of_all_wherever_it_is_sure(kind, sure):
    (start, end), windows = made_up(kind, 3)
    counts = []
    for n_best_size, max_answer_length in ((20, 30), (5, 3), (1, 30), (64, 4)):
        every = best_spans(start, end, windows, n_best_size, max_answer_length)
        first = first_spans(start, end, windows, n_best_size, max_answer_length)
        found = first.score[:, 0] > -np.inf
        for one, several in zip(vars(first).values(), vars(every).values(), strict=True):
            assert one.shape == (300, 1)
            assert np.array_equal(one[found, 0], several[found, 0])
        counts.append(int(found.sum()))
    assert counts == sure


def test_the_first_span_does_not_look_at_padding_or_the_question():
    start, end = np.array([[9.0, 1.0, 2.0, 1.5, 50.0]], np.float32), np.array([[9.0, 1.0, 0.0, 3.0, 50.0]], np.float32)
    spans = first_spans(start, end, Windows(np.array([4]), np.array([1]), np.array([4])), 2, 30)
    assert (spans.start.tolist(), spans.end.tolist(), spans.score.tolist()) == ([[2]], [[3]], [[5.0]])
    # among the highest 1, the question's token comes before it
    unsure = first_spans(start, end, Windows(np.array([4]), np.array([1]), np.array([4])), 1, 30)
    assert np.isneginf(unsure.score).all()


# -- several windows


def candidates(*rows, examples):
    characters, score, example = (np.array(column) for column in zip(*rows, strict=True))
    return Candidates(characters, score.astype(np.float32), example, examples)


def test_n_best_merges_the_windows_of_an_example():
    spans = candidates(
        ((0, 3), 1.0, 0), ((4, 6), 0.0, 0), ((7, 9), 3.0, 1), ((2, 9), 2.0, 0), ((1, 2), 3.0, 1), examples=3
    )
    chosen, probability = spans.n_best(2)
    assert chosen.example.tolist() == [0, 0, 1, 1]
    assert chosen.characters.tolist() == [[2, 9], [0, 3], [7, 9], [1, 2]]  # equals: the earlier one first
    assert chosen.score.tolist() == [2.0, 1.0, 3.0, 3.0]
    e = 2.718281828459045
    assert probability.tolist() == pytest.approx([e / (e + 1), 1 / (e + 1), 0.5, 0.5])


def test_the_empty_span_is_listed_wherever_it_ranks():
    spans = candidates(((0, 3), 1.0, 0), ((4, 6), 2.0, 0), ((7, 9), 3.0, 1), examples=2)
    chosen, _ = spans.with_empty(np.array([0.0, 5.0], np.float32)).n_best(1)
    assert chosen.characters.tolist() == [[4, 6], [0, 0], [0, 0]]
    assert chosen.example.tolist() == [0, 0, 1]


def test_best_score_of_each_example():
    spans = candidates(((0, 3), 1.0, 0), ((4, 6), 2.0, 0), ((7, 9), -3.0, 2), examples=3)
    assert spans.best().tolist() == [2.0, -np.inf, -3.0]


def test_large_scores_do_not_overflow():
    chosen, probability = candidates(((0, 1), 2000.0, 0), ((1, 2), 1000.0, 0), examples=1).n_best(2)
    assert probability.tolist() == [1.0, 0.0]
    assert chosen.score.tolist() == [2000.0, 1000.0]
