"""Sections of tagged sentences: types of entities and their confusions, or tags; sentences with their errors."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from hf_tasks.metrics.tag_schemes import Entity, Scheme, chunks, detect, entities
from hf_tasks.metrics.tagging import entity_errors, entity_f1, tagging_accuracy
from hf_tasks.publish.report import label_errors, text_classification
from hf_tasks.publish.report.blocks import Block, Example, Examples, Kind, Marked, Section, Span, Table, first, plain
from hf_tasks.publish.report.measured import Measured

Read = Callable[[Sequence[str]], list[Entity]]

MOST_ROWS = 100
WORST = 25
WORDS = 80
"""Of a sentence that are shown."""
NOTHING = "(nothing)"
DOUBTFUL = (
    "Words whose tag the model disagrees with, surer than it is on average where its own tag is right; after confident "
    "learning (Northcutt, Jiang and Chuang 2021). Some will be errors of the data, others of the model."
)
LEGEND: tuple[tuple[Kind, str], ...] = (("right", "right"), ("gold", "only in the data"), ("found", "only predicted"))
ERRORS = {
    "correct": "right", "type": "right words, wrong type", "boundary": "some of the words, right type",
    "boundary_and_type": "some of the words, wrong type", "missed": "missed",
    "spurious": "predicted where there is none",
}  # fmt: skip


def sentences(measured: Measured, scheme: Scheme | None) -> Iterator[Section]:
    """`scheme`: that of the task's tags."""
    match scheme:
        case "none":
            yield Section("Tags", list(_tags(measured)))
            yield _worst(measured, _each_word)
        case "segmentation":
            yield _worst(measured, chunks)
        case _:
            used = detect(measured.references)

            def read(tags: Sequence[str]) -> list[Entity]:
                return entities(tags, used)

            yield Section("Entities", list(_entities(measured, used, read)))
            yield _worst(measured, read, whole=True)


def suspects(splits: Sequence[Measured]) -> Section:
    """Words whose tag the model disagrees with, and is surer of its own than it is on average where that is right."""
    found = []
    for measured in splits:
        usual = _mean_confidence(measured)
        for i, (row, gold) in enumerate(zip(measured.predictions, measured.references, strict=True)):
            for j, (tag, right, sure) in enumerate(zip(row["tags"], gold, row["scores"], strict=True)):
                if tag != right and sure >= usual.get(tag, 1.0):
                    facts = [("tag", right), ("may be", tag), ("probability", sure)]
                    passages = [("", _around(row["tokens"], j))]
                    found.append((sure - usual[tag], Example(f"{measured.name}, {measured.where(i)}", facts, passages)))
    return label_errors.section(found, DOUBTFUL)


def _mean_confidence(measured: Measured) -> dict[str, float]:
    """Of each tag, the mean probability over the words that rightly get it."""
    sums, counts = Counter[str](), Counter[str]()
    for row, gold in zip(measured.predictions, measured.references, strict=True):
        for tag, right, sure in zip(row["tags"], gold, row["scores"], strict=True):
            if tag == right:
                sums[tag] += sure
                counts[tag] += 1
    return {tag: sums[tag] / n for tag, n in counts.items()}


def _around(tokens: Sequence[str], place: int, width: int = 10) -> Marked:
    before, after = tokens[max(0, place - width) : place], tokens[place + 1 : place + 1 + width]
    return (*plain(" ".join([*before, ""])), Span(tokens[place], "found"), *plain(" ".join(["", *after])))


def _entities(measured: Measured, scheme: Scheme, read: Read) -> Iterator[Block]:
    values = entity_f1(measured.answers, measured.references, scheme=scheme)["per_entity"]
    columns = ["f1", "precision", "recall", "support"]
    rows = [[kind, *(one[name] for name in columns)] for kind, one in sorted(values.items(), key=lambda v: v[1]["f1"])]
    yield first("Each type, the lowest F1 first", ["type", "F1", "precision", "recall", "n"], rows, MOST_ROWS)
    counts = entity_errors(measured.answers, measured.references, scheme=scheme)["entity_errors"]
    yield Table("How entities go wrong", ["", "n"], [[ERRORS[name], n] for name, n in counts.items()])
    pairs = [pair for both in zip(measured.references, measured.answers, strict=True) for pair in _types(*both, read)]
    gold, found = (np.array(side, object) for side in zip(*pairs, strict=True)) if pairs else ([], [])
    yield from text_classification.confusion_blocks([*sorted(values), NOTHING], np.array(gold), np.array(found))


def _types(gold: Sequence[str], found: Sequence[str], read: Read) -> Iterator[tuple[str, str]]:
    """The type of each entity of the data beside that of a predicted one that has words in common with it, best the
    same ones; and of each predicted one that has none."""
    expected, predicted = read(gold), read(found)
    for entity in expected:
        touching = [other for other in predicted if _touch(entity, other)]
        best = max(touching, key=lambda other: (other[:2] == entity[:2], other.type == entity.type), default=None)
        yield entity.type, best.type if best else NOTHING
    yield from ((NOTHING, other.type) for other in predicted if not any(_touch(other, one) for one in expected))


def _touch(one: Entity, other: Entity) -> bool:
    return one.start < other.end and other.start < one.end


def _tags(measured: Measured) -> Iterator[Block]:
    values = tagging_accuracy(measured.answers, measured.references)["per_tag"]
    columns = ["f1", "precision", "recall", "support"]
    rows = [[tag, *(one[name] for name in columns)] for tag, one in sorted(values.items(), key=lambda v: v[1]["f1"])]
    yield first("Each tag, the lowest F1 first", ["tag", "F1", "precision", "recall", "n"], rows, MOST_ROWS)
    gold, found = (
        np.array([tag for row in rows for tag in row], object) for rows in (measured.references, measured.answers)
    )
    yield from text_classification.confusion_blocks(sorted(values), gold, found)


def _each_word(tags: Sequence[str]) -> list[Entity]:
    return [Entity(i, i + 1, tag) for i, tag in enumerate(tags)]


def _worst(measured: Measured, read: Read, *, whole: bool = False) -> Section:
    """The sentences with the most errors."""
    both = [
        (set(read(gold)), set(read(found))) for gold, found in zip(measured.references, measured.answers, strict=True)
    ]
    wrong = np.array([len(gold ^ found) for gold, found in both])
    order = [i for i in np.argsort(-wrong, kind="stable").tolist() if wrong[i]]
    examples = [_example(measured, i, both[i], whole) for i in order[:WORST]]
    title = f"Most errors: {len(order):,} of {len(both):,} sentences have one"
    return Section(
        "Worst errors", [Examples(title, examples, len(order) - len(examples), LEGEND[not whole :])] if examples else []
    )


def _example(measured: Measured, row: int, both: tuple[set[Entity], set[Entity]], whole: bool) -> Example:
    """`whole`: also what is right is marked."""
    tokens, (gold, found) = measured.rows[row]["tokens"], both
    facts = [
        ("right", len(gold & found)),
        ("only in the data", len(gold - found)),
        ("only predicted", len(found - gold)),
    ]
    right = gold & found if whole else set[Entity]()
    sides: list[tuple[str, set[Entity], Kind]]
    sides = [("data", gold - found | right, "gold"), ("predicted", found - gold | right, "found")]
    passages = [(name, _spans(tokens, marked, right, kind)) for name, marked, kind in sides]
    return Example(measured.where(row), facts, passages)


def _spans(tokens: Sequence[str], marked: set[Entity], right: set[Entity], kind: Kind) -> Marked:
    """The words, those of entities marked; of plain tags only the wrong ones."""
    blank = "" if all(len(token) == 1 for token in tokens) else " "
    spans, at = [], 0
    for entity in sorted(marked):
        if entity.start >= WORDS:
            break
        spans.append(Span(blank.join([*tokens[at : entity.start], ""]) if entity.start > at else ""))
        spans.append(
            Span(blank.join(tokens[entity.start : entity.end]), "right" if entity in right else kind, entity.type)
        )
        spans.append(Span(blank))
        at = entity.end
    rest = blank.join(tokens[at : max(at, WORDS)])
    return (*spans, Span(rest + ("…" if len(tokens) > max(at, WORDS) else "")))
