"""Metrics of tagged sentences: named entities, parts of speech, word segmentation.

Predictions and references are lists of tags, one list for each sentence, one tag for each word. The references of
metrics that look at the words are `Tags`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from hf_tasks.metrics.classification import RATIOS
from hf_tasks.metrics.metric import Metric, Sums, Value, Values, share
from hf_tasks.metrics.tag_schemes import Entity, Scheme, Tags, chunks, detect, entities, surface

Sentences = Sequence[Sequence[str]]
Read = Callable[[Sequence[str]], Iterable[tuple[Any, ...]]]
"""The items of a sentence, their kind last."""


def _items(name: str, predictions: Sentences, references: Sentences, read: Read, table: str = "") -> Sums:
    """F1, precision and recall (micro) of the items that `read` finds in a sentence; `table`: of each kind, too."""
    pairs = [(set(read(p)), set(read(r))) for p, r in zip(predictions, references, strict=True)]
    counts = [[len(ours & theirs), len(ours), len(theirs)] for ours, theirs in pairs]
    return Sums(
        np.array(counts, float).reshape(-1, 3),
        lambda s: {f"{name}_{kind}": ratio(*s.T) for kind, ratio in RATIOS.items()},
        lambda: {table: _per_kind(pairs)} if table else {},
    )


def _per_kind(pairs: Iterable[tuple[set[Any], set[Any]]]) -> dict[str, dict[str, float]]:
    """F1, precision, recall and support of the items of each kind, from those found and expected in each sentence."""
    right, found, expected = Counter[str](), Counter[str](), Counter[str]()
    for ours, theirs in pairs:
        right.update(item[-1] for item in ours & theirs)
        found.update(item[-1] for item in ours)
        expected.update(item[-1] for item in theirs)
    sums = {kind: np.array([right[kind], found[kind], expected[kind]], float) for kind in sorted({*found, *expected})}
    return {
        kind: {name: float(ratio(*row)) for name, ratio in RATIOS.items()} | {"support": int(row[2])}
        for kind, row in sums.items()
    }


def _entity_f1(predictions: Sentences, references: Sentences, scheme: Scheme | None = None) -> Sums:
    """Right where both words and type are right. Tags that break the scheme's rules name no entity (seqeval's strict
    mode, https://github.com/chakki-works/seqeval)."""
    scheme = scheme or detect(references)
    return _items("entity", predictions, references, lambda tags: entities(tags, scheme), "per_entity")


def _conlleval_f1(predictions: Sentences, references: Sentences) -> Sums:
    """As the CoNLL shared tasks counted entities: broken rules are forgiven, so an I- may begin an entity (Tjong Kim
    Sang and De Meulder 2003, https://aclanthology.org/W03-0419)."""
    return _items("conlleval", predictions, references, chunks)


def _entity_errors(predictions: Sentences, references: Sentences, scheme: Scheme | None = None) -> dict[str, Any]:
    """How entities go wrong. Each entity of the references counts once, under the first of these that holds:

    correct              an entity with the same words and type was predicted
    type                 the same words, another type
    boundary             other words, some of them in common, the same type
    boundary_and_type    some words in common, another type
    missed               no predicted entity has a word in common with it

    Further, `spurious` counts the predicted entities that have no word in common with any of the references.
    """
    scheme = scheme or detect(references)
    counts = Counter(correct=0, type=0, boundary=0, boundary_and_type=0, missed=0, spurious=0)
    for predicted, reference in zip(predictions, references, strict=True):
        found, expected = entities(predicted, scheme), entities(reference, scheme)
        counts.update(_error(entity, _touching(entity, found)) for entity in expected)
        counts["spurious"] += sum(not _touching(entity, expected) for entity in found)
    return {"entity_errors": dict(counts)}


def _error(entity: Entity, touching: list[Entity]) -> str:
    """The kind of error of an expected entity, given the predicted ones that have words in common with it."""
    if entity in touching:
        return "correct"
    if any((entity.start, entity.end) == (other.start, other.end) for other in touching):
        return "type"
    if any(entity.type == other.type for other in touching):
        return "boundary"
    return "boundary_and_type" if touching else "missed"


def _touching(entity: Entity, others: list[Entity]) -> list[Entity]:
    return [other for other in others if other.start < entity.end and entity.start < other.end]


def _unseen_entity_recall(
    predictions: Sentences, references: Sequence[Tags], known_entities: Sequence[str], scheme: Scheme | None = None
) -> Sums:
    """Recall of the entities whose words (in this case, in this order) are never an entity in the training data, and
    of the others: whether the model has learned to find names or to remember them.

    Augenstein et al. 2017, https://doi.org/10.1016/j.csl.2017.01.012
    """
    scheme, known = scheme or detect(references), set(known_entities)
    counts = [
        _recalled(
            set(entities(p, scheme)), [(e, surface(r.tokens[e.start : e.end])) for e in entities(r, scheme)], known
        )
        for p, r in zip(predictions, references, strict=True)
    ]
    return _recalls_of_entities(np.array(counts, float).reshape(-1, 4))


def _recalls_of_entities(counts: np.ndarray) -> Sums:
    return _recalls(counts, {"unseen_entity_recall": 0, "seen_entity_recall": 2})


def _word_segmentation(predictions: Sentences, references: Sequence[Tags], known_words: Sequence[str]) -> Sums:
    """A word is right where its first and last character are. As in the SIGHAN bakeoffs (Emerson 2005,
    https://aclanthology.org/I05-3017)."""
    words, known = _items("word", predictions, references, chunks), set(known_words)
    counts = [
        _recalled(set(chunks(p)), [(w, "".join(r.tokens[w.start : w.end])) for w in chunks(r)], known)
        for p, r in zip(predictions, references, strict=True)
    ]
    return _segmented(np.hstack([words.counts, np.array(counts, float).reshape(-1, 4)]))


def _segmented(counts: np.ndarray) -> Sums:
    """Words that are right, found and expected; then those of `_recalled`."""
    recalls = _recalls(counts[:, 3:], {"oov_recall": 0, "iv_recall": 2})

    def of_sums(s: np.ndarray) -> Values:
        rate = {"oov_rate": share(s[:, 4], s[:, 4] + s[:, 6])}
        words = {f"word_{kind}": ratio(*s[:, :3].T) for kind, ratio in RATIOS.items()}
        return words | recalls.of_sums(s[:, 3:]) | rate

    return Sums(counts, of_sums)


def _recalled(found: set[Any], expected: Iterable[tuple[Any, str]], known: set[str]) -> list[int]:
    """Of the expected items whose text is not known: how many are found, how many there are; the same of the others."""
    counts = [0, 0, 0, 0]
    for item, text in expected:
        first = 2 if text in known else 0
        counts[first] += item in found
        counts[first + 1] += 1
    return counts


def _recalls(counts: np.ndarray, columns: dict[str, int]) -> Sums:
    """Shares of a column in the next one; left out where that is zero for all examples."""
    there = {name: column for name, column in columns.items() if counts[:, column + 1].any()}
    return Sums(counts, lambda s: {name: share(s[:, c], s[:, c + 1], np.nan) for name, c in there.items()})


def _tagging_accuracy(predictions: Sentences, references: Sentences) -> Sums:
    """Share of words with the right tag; F1, precision and recall of each tag of the references."""
    pairs = list(zip(predictions, references, strict=True))
    counts = [[sum(a == b for a, b in zip(p, r, strict=True)), len(r)] for p, r in pairs]

    def tables() -> dict[str, Any]:
        per_tag = _per_kind((set(enumerate(p)), set(enumerate(r))) for p, r in pairs)
        return {"per_tag": {tag: row for tag, row in per_tag.items() if row["support"]}}

    sums = np.array(counts, float).reshape(-1, 2)
    return Sums(sums, lambda s: {"tagging_accuracy": share(s[:, 0], s[:, 1])}, tables)


entity_f1 = Metric(
    {
        "entity_f1": Value("F1 of entities; one is right where all its words and its type are right (micro average)"),
        "entity_precision": Value("share of predicted entities that are right"),
        "entity_recall": Value("share of true entities that are found"),
    },
    _entity_f1,
    reads="entities",
)
conlleval_f1 = Metric(
    {
        "conlleval_f1": Value("F1 of entities as the CoNLL shared tasks counted it"),
        "conlleval_precision": Value(
            "share of predicted entities that are right, as the CoNLL shared tasks counted it"
        ),
        "conlleval_recall": Value("share of true entities that are found, as the CoNLL shared tasks counted it"),
    },
    _conlleval_f1,
    reads="entities",
)
entity_errors = Metric(more=_entity_errors, reads="entities")
unseen_entity_recall = Metric(
    {
        "unseen_entity_recall": Value("recall of entities that are not in the training data"),
        "seen_entity_recall": Value("recall of entities that are in the training data"),
    },
    _unseen_entity_recall,
    of_table=_recalls_of_entities,
    reads="entities",
)
tagging_accuracy = Metric({"tagging_accuracy": Value("share of words with the right tag")}, _tagging_accuracy)
word_segmentation = Metric(
    {
        "word_f1": Value("F1 of words; one is right where its first and last character are right"),
        "word_precision": Value("share of predicted words that are right"),
        "word_recall": Value("share of true words that are found"),
        "oov_recall": Value("recall of words that are not in the training data"),
        "iv_recall": Value("recall of words that are in the training data"),
        "oov_rate": Value("share of words that are not in the training data", is_score=False),
    },
    _word_segmentation,
    of_table=_segmented,
    reads="words",
)
