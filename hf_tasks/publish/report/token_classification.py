"""Report sections of token classification: scores by entity type or tag, error types, confusions, worst sentences."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from hf_tasks.metrics.tag_schemes import Entity, Scheme, chunks, detect, entities
from hf_tasks.metrics.tagging import entity_errors, entity_f1, tagging_accuracy
from hf_tasks.publish.report import label_errors, text_classification
from hf_tasks.publish.report.blocks import Block, Example, Examples, Kind, Marked, ReportSection, Span, plain
from hf_tasks.publish.report.measured import MeasuredSplit
from hf_tasks.publish.results_view import Table

Read = Callable[[Sequence[str]], list[Entity]]

MOST_ROWS = 100
WORST = 25
WORDS = 80
"""Words of a sentence that are shown."""
NOTHING = "(nothing)"
DOUBTFUL = (
    "Words for which the model predicts another tag, with more confidence than it has on average when that tag is "
    "correct; after confident learning (Northcutt, Jiang and Chuang 2021). Some are errors of the data, others of the "
    "model."
)
LEGEND: tuple[tuple[Kind, str], ...] = (("right", "correct"), ("gold", "only in the data"), ("found", "only predicted"))
ERRORS = {
    "correct": "correct", "type": "correct words, wrong type", "boundary": "wrong boundary, correct type",
    "boundary_and_type": "wrong boundary, wrong type", "missed": "missed",
    "spurious": "spurious: no entity there",
}  # fmt: skip


def sentences(measured: MeasuredSplit, scheme: Scheme | None) -> Iterator[ReportSection]:
    """The sections of a split; `scheme`: the tag scheme of the task."""
    match scheme:
        case "none":
            yield ReportSection("Tags", list(_tags(measured)))
            yield _worst(measured, _each_word)
        case "segmentation":
            yield _worst(measured, chunks)
        case _:
            used = detect(measured.references)

            def read(tags: Sequence[str]) -> list[Entity]:
                return entities(tags, used)

            yield ReportSection("Entities", list(_entities(measured, used, read)))
            yield _worst(measured, read, whole=True)


def suspects(splits: Sequence[MeasuredSplit]) -> ReportSection:
    """Words whose predicted tag differs, with at least the mean confidence of correct predictions of that tag."""
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


def _mean_confidence(measured: MeasuredSplit) -> dict[str, float]:
    """Tag -> its mean probability over the words for which it is predicted correctly."""
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


def _entities(measured: MeasuredSplit, scheme: Scheme, read: Read) -> Iterator[Block]:
    values = entity_f1(measured.answers, measured.references, scheme=scheme)["per_entity"]
    columns = ["f1", "precision", "recall", "support"]
    rows = [[kind, *(one[name] for name in columns)] for kind, one in sorted(values.items(), key=lambda v: v[1]["f1"])]
    yield Table("Each type, the lowest F1 first", ["type", "F1", "precision", "recall", "n"], rows).first(MOST_ROWS)
    counts = entity_errors(measured.answers, measured.references, scheme=scheme)["entity_errors"]
    yield Table("Error types", ["error", "n"], [[ERRORS[name], n] for name, n in counts.items()])
    pairs = [pair for both in zip(measured.references, measured.answers, strict=True) for pair in _types(*both, read)]
    gold, found = (np.array(side, object) for side in zip(*pairs, strict=True)) if pairs else ([], [])
    yield from text_classification.confusion_blocks([*sorted(values), NOTHING], np.array(gold), np.array(found))


def _types(gold: Sequence[str], found: Sequence[str], read: Read) -> Iterator[tuple[str, str]]:
    """(type in the data, predicted type) of each entity: entities match if they overlap, those with equal boundaries
    first; unmatched ones are paired with NOTHING."""
    expected, predicted = read(gold), read(found)
    for entity in expected:
        touching = [other for other in predicted if _touch(entity, other)]
        best = max(touching, key=lambda other: (other[:2] == entity[:2], other.type == entity.type), default=None)
        yield entity.type, best.type if best else NOTHING
    yield from ((NOTHING, other.type) for other in predicted if not any(_touch(other, one) for one in expected))


def _touch(one: Entity, other: Entity) -> bool:
    return one.start < other.end and other.start < one.end


def _tags(measured: MeasuredSplit) -> Iterator[Block]:
    values = tagging_accuracy(measured.answers, measured.references)["per_tag"]
    columns = ["f1", "precision", "recall", "support"]
    rows = [[tag, *(one[name] for name in columns)] for tag, one in sorted(values.items(), key=lambda v: v[1]["f1"])]
    yield Table("Each tag, the lowest F1 first", ["tag", "F1", "precision", "recall", "n"], rows).first(MOST_ROWS)
    gold, found = (
        np.array([tag for row in rows for tag in row], object) for rows in (measured.references, measured.answers)
    )
    yield from text_classification.confusion_blocks(sorted(values), gold, found)


def _each_word(tags: Sequence[str]) -> list[Entity]:
    return [Entity(i, i + 1, tag) for i, tag in enumerate(tags)]


def _worst(measured: MeasuredSplit, read: Read, *, whole: bool = False) -> ReportSection:
    """The sentences with the most errors."""
    both = [
        (set(read(gold)), set(read(found))) for gold, found in zip(measured.references, measured.answers, strict=True)
    ]
    wrong = np.array([len(gold ^ found) for gold, found in both])
    order = [i for i in np.argsort(-wrong, kind="stable").tolist() if wrong[i]]
    examples = [_example(measured, i, both[i], whole) for i in order[:WORST]]
    title = f"Most errors: {len(order):,} of {len(both):,} sentences have errors"
    return ReportSection(
        "Worst errors", [Examples(title, examples, len(order) - len(examples), LEGEND[not whole :])] if examples else []
    )


def _example(measured: MeasuredSplit, row: int, both: tuple[set[Entity], set[Entity]], whole: bool) -> Example:
    """`whole`: correct entities are highlighted, too."""
    tokens, (gold, found) = measured.rows[row]["tokens"], both
    facts = [
        ("correct", len(gold & found)),
        ("only in the data", len(gold - found)),
        ("only predicted", len(found - gold)),
    ]
    right = gold & found if whole else set[Entity]()
    sides: list[tuple[str, set[Entity], Kind]]
    sides = [("data", gold - found | right, "gold"), ("predicted", found - gold | right, "found")]
    passages = [(name, _spans(tokens, marked, right, kind)) for name, marked, kind in sides]
    return Example(measured.where(row), facts, passages)


def _spans(tokens: Sequence[str], marked: set[Entity], right: set[Entity], kind: Kind) -> Marked:
    """The words, with entities highlighted; of plain tags only the wrong ones."""
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
