import numpy as np
import pytest

from hf_tasks.decoding.mbr import expectation, mbr, mbr_aggregate, mbr_pruned, oracle, softmax
from hf_tasks.decoding.utilities import chrf, token_f1

CANDIDATES = ["x y", "p q", "x q", "x y z"]
# token F1 in percent:   x y   p q   x q   x y z
#                 x y    100     0    50      80
#                 p q      0   100    50       0
#                 x q     50    50   100      40
#                 x y z   80     0    40     100
EXPECTED = [57.5, 37.5, 60, 55]


def test_candidates_as_their_own_references():
    choice = mbr(CANDIDATES, token_f1)
    assert choice.index == 2
    assert choice.expected == pytest.approx(EXPECTED)


def test_other_references():
    choice = mbr(CANDIDATES, token_f1, references=["p", "p q", "y x"])
    assert choice.index == 1
    assert choice.expected == pytest.approx([100 / 3, (200 / 3 + 100) / 3, (50 + 50) / 3, 80 / 3])


def test_log_probabilities_weigh_the_references():
    choice = mbr(CANDIDATES, token_f1, weights=np.log([0.5, 0.1, 0.1, 0.3]) - 40)
    assert choice.index == 0
    assert choice.expected == pytest.approx([50 + 5 + 24, 15, 25 + 5 + 10 + 12, 40 + 4 + 30])


def test_repeated_candidates_count_as_often_and_are_scored_once():
    asked = []

    def utility(hypotheses, references):
        asked.append((hypotheses, references))
        return token_f1(hypotheses, references)

    choice = mbr(["p q", "x y", "x y", "p q", "x y"], utility)
    assert asked == [(["p q", "x y"], ["p q", "x y"])]
    assert choice.index == 1
    assert choice.expected == pytest.approx([40, 60, 60, 40, 60])


def test_the_first_of_equals_is_chosen():
    assert mbr(["q p", "p q", "p q"], token_f1).index == 0
    # equal but for rounding: 0.1 + 0.2 + 0.3 in another order
    rounded = np.array([[0.3, 0.2, 0.1], [0.1, 0.2, 0.3]])
    assert len(set(expectation(rounded))) == 2
    assert mbr(["a", "b"], lambda h, r: rounded, references=["r", "s", "t"]).index == 0


def test_single_candidate():
    assert mbr(["only"], chrf).index == 0
    assert mbr_pruned(["only"], chrf).expected == pytest.approx([100])


def test_aggregate_chooses_as_chrf_does_here():
    candidates = ["The cat sat on the mat.", "The cat sat on a mat.", "A dog ran.", "The cat sits on the mat."]
    choice = mbr_aggregate(candidates)
    assert choice.index == mbr(candidates, chrf).index == 0
    assert choice.expected.argmin() == 2


def test_aggregate_weighs_the_references():
    assert mbr_aggregate(["aaa", "bbb"], ["aaa", "bbb"], weights=[-3, -1]).index == 1
    assert mbr_aggregate(["aaa", "bbb"], ["aaa", "bbb"], weights=[-1, -3]).index == 0


def scores(hypotheses, references):
    """Candidate "i" has utility i + 1 with one half of the references, i - 1 with the other."""
    return np.array([[int(h) + (1 if int(r) % 2 else -1) for r in references] for h in hypotheses], float)


def test_pruning_finds_the_best_with_few_utilities():
    asked = []

    def counting(hypotheses, references):
        asked.append((len(hypotheses), len(references)))
        return scores(hypotheses, references)

    candidates = [str(i) for i in range(64)]
    choice = mbr_pruned(candidates, counting)
    assert choice.index == mbr(candidates, scores).index == 63
    assert asked == [(64, 8)]  # one step is enough: each candidate is better than the one before it on every reference
    assert choice.expected[63] - choice.expected[0] == pytest.approx(63)


def test_pruning_keeps_what_may_still_win():
    random = np.random.default_rng(1)
    table = random.normal(size=(20, 100)) + np.where(np.arange(20) == 7, 0.5, 0)[:, None]
    sizes = []

    def noisy(hypotheses, references):
        sizes.append((len(hypotheses), len(references)))
        return table[np.ix_([int(h) for h in hypotheses], [int(r) for r in references])]

    choice = mbr_pruned([str(i) for i in range(20)], noisy, [str(i) for i in range(100)])
    assert choice.index == 7
    assert [n for _, n in sizes] == [8, 8, 16, 32, 36][: len(sizes)]
    assert sizes[0][0] == 20 > sizes[-1][0]
    again = mbr_pruned([str(i) for i in range(20)], noisy, [str(i) for i in range(100)])
    np.testing.assert_array_equal(again.expected, choice.expected)


def drawn(random, n_sources=30, n_candidates=64):
    """Candidates as a model draws them: most agree on most words."""
    for source in range(n_sources):
        likely = random.uniform(0.5, 0.95, size=12)  # how sure the model is of each word
        others = random.integers(0, 3, size=(n_candidates, 12))
        sure = random.random((n_candidates, 12)) < likely
        yield [" ".join(f"word{source}{i}" if sure[c, i] else f"other{others[c, i]}{i}" for i in range(12))
               for c in range(n_candidates)]  # fmt: skip


def test_pruning_chooses_as_the_expectation_of_all_and_asks_for_fewer_utilities():
    asked = []

    def counting(hypotheses, references):
        asked.append(len(hypotheses) * len(references))
        return chrf(hypotheses, references)

    same, lost, of_all = 0, 0.0, 0
    for candidates in drawn(np.random.default_rng(5)):
        exact, pruned = mbr(candidates, chrf), mbr_pruned(candidates, counting)
        same += candidates[exact.index] == candidates[pruned.index]
        lost += exact.expected[exact.index] - exact.expected[pruned.index]
        of_all += len(set(candidates)) * len(candidates)
    assert same == 27  # of 30
    assert sum(asked) / of_all == pytest.approx(0.466, abs=0.001)
    assert lost / 30 == pytest.approx(0.092, abs=0.001)  # of 100


def test_oracle_takes_the_nearest_to_any_reference():
    choice = oracle(CANDIDATES, ["p", "z y"], token_f1)
    assert choice.index == 3
    assert choice.expected == pytest.approx([50, 200 / 3, 0, 80])


def test_softmax_of_large_numbers():
    assert softmax([-1000, -1000 - np.log(3)]) == pytest.approx([0.75, 0.25])
