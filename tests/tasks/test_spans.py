import numpy as np
import pytest
import torch

from hf_tasks.tasks.spans import Candidates, Windows, best_span, best_spans


def search(start, end, *, length=None, context=None, n_best_size=20, max_answer_length=30):
    """The spans of one window, as (first, last, score), best first."""
    length = length or len(start)
    first, stop = context or (0, length)
    where = Windows(*(np.array([value]) for value in (length, first, stop)))
    spans = best_spans(torch.tensor([start]), torch.tensor([end]), where, n_best_size, max_answer_length)
    rows = zip(spans.start[0].tolist(), spans.end[0].tolist(), spans.score[0].tolist(), strict=True)
    return [row for row in rows if np.isfinite(row[2])]


def double_loop(start, end, windows, n_best_size, max_answer_length):
    """The candidates of each window as run_qa.py of transformers finds them, best first."""
    found = []
    for row in range(len(start)):
        length, first, stop = (int(column[row]) for column in vars(windows).values())
        starts = np.argsort(start[row, :length])[-1 : -n_best_size - 1 : -1]
        ends = np.argsort(end[row, :length])[-1 : -n_best_size - 1 : -1]
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


@pytest.mark.parametrize("n_best_size, max_answer_length", [(20, 30), (5, 3), (1, 30), (64, 4)])
@pytest.mark.parametrize("scale", [1.0, 8.0])
def test_the_same_spans_as_the_double_loop(n_best_size, max_answer_length, scale):
    generator = np.random.default_rng(n_best_size)
    start, end = generator.normal(scale=scale, size=(2, 300, 50)).astype(np.float32)
    length = generator.integers(8, 51, 300)
    first = generator.integers(1, 6, 300)
    windows = Windows(length, first, length - generator.integers(1, 3, 300))
    expected = double_loop(start, end, windows, n_best_size, max_answer_length)
    spans = best_spans(torch.from_numpy(start), torch.from_numpy(end), windows, n_best_size, max_answer_length)
    compared = 0
    for row, rows in enumerate(expected):
        if rows:  # the double loop has nothing to say of the others
            n = len(rows)
            found = zip(spans.start[row, :n].tolist(), spans.end[row, :n].tolist(), spans.score[row, :n], strict=True)
            assert list(found) == rows
            assert np.isneginf(spans.score[row, n:]).all()
            compared += 1
        else:
            context = slice(first[row], windows.context_end[row])
            best = best_span(start[row, context], end[row, context], max_answer_length)
            assert (spans.start[row, 0] - first[row], spans.end[row, 0] - first[row], spans.score[row, 0]) == best
    assert compared > 30


def test_best_span_is_the_best_of_all():
    generator = np.random.default_rng(0)
    for size in (1, 2, 7, 40):
        start, end = generator.normal(size=(2, size)).astype(np.float32)
        every = [(s, e, float(start[s] + end[e])) for s in range(size) for e in range(s, min(s + 5, size))]
        assert best_span(start, end, 5) == max(every, key=lambda span: span[2])


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


def test_the_first_span_is_that_of_all() -> None:
    import torch

    from hf_tasks.tasks.spans import Windows, best_spans, first_spans

    random = np.random.default_rng(3)
    start, end = random.normal(size=(2, 200, 40)).astype(np.float32)
    length = random.integers(12, 41, 200)
    windows = Windows(length, np.full(200, 5), length - 1)
    for size, longest in ((20, 30), (3, 4), (1, 1)):
        all_spans = best_spans(torch.from_numpy(start), torch.from_numpy(end), windows, size, longest)
        first = first_spans(start, end, windows, size, longest)
        assert np.array_equal(first.start[:, 0], all_spans.start[:, 0])
        assert np.array_equal(first.end[:, 0], all_spans.end[:, 0])
        assert np.array_equal(first.score[:, 0], all_spans.score[:, 0])
