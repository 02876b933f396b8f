"""Metrics of tagged sentences: named entities, parts of speech, word segmentation.

Predictions and references are lists of tags, one list for each sentence, one tag for each word. The references of
metrics that look at the words are `Tags`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hf_tasks.tags import Entity, Scheme, Tags, chunks, detect, entities, surface

Sentences = Sequence[Sequence[str]]


def entity_f1(predictions: Sentences, references: Sentences, scheme: Scheme | None = None) -> dict[str, Any]:
    """Precision, recall and F1 (micro) of entities, right where both words and type are right; and of each type.

    Tags that break the scheme's rules name no entity (seqeval's strict mode, https://github.com/chakki-works/seqeval).
    """
    scheme = scheme or detect(references)
    right, found, expected = _counts(predictions, references, lambda tags: entities(tags, scheme))
    types = sorted({*found, *expected})
    per_type = {kind: _prf(right[kind], found[kind], expected[kind]) | {"support": expected[kind]} for kind in types}
    total = _prf(right.total(), found.total(), expected.total())
    return {f"entity_{name}": value for name, value in total.items()} | {"per_entity": per_type}


def conlleval_f1(predictions: Sentences, references: Sentences) -> dict[str, float]:
    """`entity_f1` as the CoNLL shared tasks counted it: broken rules are forgiven, so an I- may begin an entity
    (Tjong Kim Sang and De Meulder 2003, https://aclanthology.org/W03-0419)."""
    right, found, expected = _counts(predictions, references, chunks)
    total = _prf(right.total(), found.total(), expected.total())
    return {f"conlleval_{name}": value for name, value in total.items()}


def entity_errors(predictions: Sentences, references: Sentences, scheme: Scheme | None = None) -> dict[str, Any]:
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


def unseen_entity_recall(
    predictions: Sentences, references: Sequence[Tags], known_entities: Sequence[str], scheme: Scheme | None = None
) -> dict[str, float]:
    """Recall of the entities whose words (in this case, in this order) are never an entity in the training data, and
    of the others: whether the model has learned to find names or to remember them. A recall of nothing is left out.

    Augenstein et al. 2017, https://doi.org/10.1016/j.csl.2017.01.012
    """
    scheme = scheme or detect(references)
    known, right, expected = set(known_entities), Counter[bool](), Counter[bool]()
    for predicted, reference in zip(predictions, references, strict=True):
        found = set(entities(predicted, scheme))
        for entity in entities(reference, scheme):
            unseen = surface(reference.tokens[entity.start : entity.end]) not in known
            expected[unseen] += 1
            right[unseen] += entity in found
    names = {True: "unseen_entity", False: "seen_entity"}
    return {f"{name}_recall": right[unseen] / expected[unseen] for unseen, name in names.items() if expected[unseen]}


def tagging_accuracy(predictions: Sentences, references: Sentences) -> dict[str, Any]:
    """Share of words with the right tag; and precision, recall and F1 of each tag."""
    right, found, expected = _counts(predictions, references, enumerate)
    per_tag = {tag: _prf(right[tag], found[tag], n) | {"support": n} for tag, n in sorted(expected.items())}
    return {"tagging_accuracy": _ratio(right.total(), expected.total()), "per_tag": per_tag}


def word_segmentation(
    predictions: Sentences, references: Sequence[Tags], known_words: Sequence[str]
) -> dict[str, float]:
    """Precision, recall and F1 of words: a word is right where its first and last character are. Further, the recall
    of words that the training data has (in vocabulary) and has not (out of vocabulary), where there are any, and the
    share of the latter.

    As in the SIGHAN bakeoffs (Emerson 2005, https://aclanthology.org/I05-3017).
    """
    known, right, expected, found = set(known_words), Counter[bool](), Counter[bool](), 0
    for predicted, reference in zip(predictions, references, strict=True):
        words = set(chunks(predicted))
        found += len(words)
        for word in chunks(reference):
            unseen = "".join(reference.tokens[word.start : word.end]) not in known
            expected[unseen] += 1
            right[unseen] += word in words
    total = _prf(right.total(), found, expected.total())
    names = {True: "oov", False: "iv"}
    recalls = {f"{name}_recall": right[unseen] / expected[unseen] for unseen, name in names.items() if expected[unseen]}
    rate = {"oov_rate": _ratio(expected[True], expected.total())}
    return {f"word_{name}": value for name, value in total.items()} | recalls | rate


def _counts(
    predictions: Sentences, references: Sentences, read: Callable[[Sequence[str]], Iterable[tuple[Any, ...]]]
) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """(right, predicted, expected) items of each kind; `read` gives the items of a sentence, their kind last."""
    right, found, expected = Counter[str](), Counter[str](), Counter[str]()
    for predicted, reference in zip(predictions, references, strict=True):
        ours, theirs = set(read(predicted)), set(read(reference))
        right.update(item[-1] for item in ours & theirs)
        found.update(item[-1] for item in ours)
        expected.update(item[-1] for item in theirs)
    return right, found, expected


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


def _prf(right: int, found: int, expected: int) -> dict[str, float]:
    precision, recall = _ratio(right, found), _ratio(right, expected)
    return {"f1": _ratio(2 * right, found + expected), "precision": precision, "recall": recall}


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
