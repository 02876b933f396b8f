"""Token classification: one tag for every word. Named entities, parts of speech, word segmentation.

    {"tokens": ["Ann", "met", "Bo"], "tags": ["B-PER", "O", "B-PER"]}
    {"text": "Ann met Bo", "spans": [{"start": 0, "end": 3, "label": "PER"}, {"start": 8, "end": 10, "label": "PER"}]}
    {"text": "Ann met Bo"}                                      for prediction

Spans are character offsets, as annotation tools export them. A model reads sub-words; the first sub-word of a word
carries the word's tag, the others none (Devlin et al. 2019, https://aclanthology.org/N19-1423, section 5.3). Sentences
longer than the model are read in overlapping windows, cut between words; the tag of a word that is in two windows is
learned and predicted in the one where the word has more context.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from hf_tasks.block import did_you_mean
from hf_tasks.calibration import temperature_of_labels
from hf_tasks.tags import Entity, Scheme, Tags, aliens, broken, chunks, complete, detect, entities, surface, tags_of
from hf_tasks.tasks.base import TUNED, Columns, DiscriminativeTask, Oddity, Row, Split, values
from hf_tasks.tasks.collate import IGNORE
from hf_tasks.tasks.word_windows import Frame, features_of, sub_words
from hf_tasks.tasks.words import SplitText, entities_of, split, tokens_of_tool

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

ENTITY_METRICS = ("entity_f1", "entity_errors", "unseen_entity_recall")
DEFAULT_METRICS: dict[Scheme, tuple[str, ...]] = {
    "segmentation": ("word_segmentation", "tagging_accuracy"),
    "none": ("tagging_accuracy",),
}
CHARACTERS = 0.9
"""Share of training words that are one character, above which a text is split into characters."""


class TokenClassification(DiscriminativeTask):
    auto_model: ClassVar[str] = "AutoModelForTokenClassification"
    weighs_examples_equally: ClassVar[bool] = False
    inputs: ClassVar[tuple[str, ...]] = ("tokens",)
    optional: ClassVar[tuple[str, ...]] = ("text",)
    targets: ClassVar[tuple[str, ...]] = ("tags", "spans")
    aliases: ClassVar[dict[str, str]] = {
        "words": "tokens", "ner_tags": "tags", "pos_tags": "tags", "upos": "tags", "labels": "tags",
        "entities": "spans", "label": "spans",
    }  # fmt: skip
    tokenizer_options: ClassVar[dict[str, Any]] = {"add_prefix_space": True}

    name: Literal["token-classification"]
    scheme: Scheme | None = None
    """How the tags write down entities or words; found in the training data where not given."""
    labels: tuple[str, ...] = ()
    """The tags, in the order of their ids. Where not given: those of the training data, and for each type of entity
    all prefixes of the scheme."""
    temperature: Literal["tuned"] | Annotated[float, Field(gt=0)] = 1.0
    """Divides the logits before they become probabilities; "tuned": for the likeliest tags of the validation part."""
    split_text: SplitText | None = None
    """How a plain text becomes words: `words` are runs of letters and digits, any other character alone, as is each
    character of Chinese and Japanese; `characters` are all characters. Where not given: as in the training data."""
    doc_stride: int = Field(64, ge=0)
    """Tokens by which the windows of a long sentence overlap; at most half a window."""

    # -- from rows to examples

    def clashes(self) -> Iterator[tuple[tuple[str, ...], str]]:
        if len(set(self.labels)) < len(self.labels):
            yield ("labels",), "a tag is named twice; keep one of them"

    def missing(self, columns: Sequence[str], labelled: bool) -> str | None:
        if "tokens" not in columns and "text" not in columns:
            return 'column "tokens" or "text"'
        return super().missing(["tokens", *columns], labelled)

    def example(self, row: Row) -> Row:
        example = self._words(row)
        for name in self.targets:
            if name in row:
                return example | {"tags": self._tags(row[name], example)}
        return example

    def _words(self, row: Row) -> Row:
        """The words of a row: tokens; for a text, also the text and the (start, end) of each word in it."""
        match row.get("tokens", row.get("text")):
            case None:
                raise ValueError("the words are missing; write them or remove the row")
            case str() as text if "tokens" not in row:
                return {"text": text} | split(text, self.split_text or "words")
            case [dict(), *_] as tokens:
                return {"text": row.get("text")} | tokens_of_tool(tokens)
            case list() as tokens:
                for i, token in enumerate(tokens, 1):
                    if not isinstance(token, str):
                        raise ValueError(f"word {i} is not text but {token!r}; quote it")
                return {"tokens": tokens}
            case other:
                raise ValueError(f'the words are not a list but {other!r}; write a list, or call the column "text"')

    def _tags(self, values: Any, example: Row) -> list[str]:
        """The tag of each word, from tags or from spans of characters."""
        if not isinstance(values, list):
            found = "missing" if values is None else f"not a list but {values!r}"
            raise ValueError(f"the tags are {found}; write a list with one tag for each word")
        tokens = example["tokens"]
        if "text" in example:
            return tags_of(entities_of(values, example["text"], example["offsets"]), len(tokens))
        if values and not isinstance(values[0], str | int | None):
            raise ValueError('spans of characters need the column "text" that they count in; give it instead of words')
        if len(values) != len(tokens):
            raise ValueError(f"{len(tokens)} words but {len(values)} tags; write one tag for each word")
        return [self._tag(value, token) for value, token in zip(values, tokens, strict=True)]

    def _tag(self, value: Any, token: str) -> str:
        """The name of a tag; a number is its place in the given labels."""
        match value:
            case str() if value:
                return value
            case int() if 0 <= value < len(self.labels):
                return self.labels[value]
            case int():
                remedy = "give the names of all tags, in the order of their numbers, as task.labels"
                raise ValueError(f'the tag of "{token}" is the number {value}, which has no name; {remedy}')
            case _:
                raise ValueError(f'the tag of "{token}" is missing; write it')

    def resolve(self, train: "Dataset") -> Self:
        tags = train["tags"][:]
        scheme = self.scheme or detect(tags)
        labels = self.labels or complete((tag for row in tags for tag in row), scheme)
        if len(labels) < 2:
            raise ValueError(f"the training data has one tag only ({', '.join(labels)}); two are needed to learn")
        for name in self.metrics:
            if name in _meaningless(scheme):
                raise ValueError(f"task.metrics: {name} has no meaning for tags of scheme {scheme}; remove it")
        lengths = np.array([len(token) for row in train["tokens"][:] for token in row])
        by = "characters" if (lengths == 1).mean() > CHARACTERS else "words"
        metrics = self.metrics or DEFAULT_METRICS.get(scheme, ENTITY_METRICS)
        filled = {"scheme": scheme, "labels": labels, "split_text": self.split_text or by, "metrics": metrics}
        return self.model_copy(update=filled)

    def check(self, example: Row) -> Iterator[str]:
        if not example["tokens"]:
            yield "the sentence has no words; write some or remove the row"
        unknown = [tag for tag in dict.fromkeys(example["tags"]) if tag not in self.labels]
        if unknown:
            named = ", ".join(f'"{tag}"' for tag in unknown)
            guess = did_you_mean(unknown[0], self.labels)
            yield f"the training data has no tag {named}; mend the row, or name all tags in task.labels{guess}"

    def usage(self) -> tuple[str, ...]:
        return ("text",)

    def unit(self) -> str:
        return "sentences"

    def target_words(self) -> str:
        return "tags"

    def oddities(self, examples: "Dataset") -> Iterator[Oddity]:
        """Tags that name no entity: those that break the rules of their scheme, those of another one."""
        scheme = self.scheme or "none"
        if alien := aliens(self.labels, scheme):
            rows = [row for row, (tags,) in enumerate(values(examples, "tags")) if not alien.isdisjoint(tags)]
            if rows:
                yield Oddity(rows, f"sentences with tags of another scheme than {scheme}, such as {min(alien)}",
                    "write one scheme everywhere, or name it as task.scheme")  # fmt: skip
        if scheme in ("none", "segmentation"):
            return
        rows_of_tags = enumerate(values(examples, "tags"))
        wrong = [(row, len(found)) for row, (tags,) in rows_of_tags if (found := broken(tags, scheme))]
        if wrong:
            rows, count = [row for row, _ in wrong], sum(count for _, count in wrong)
            yield Oddity(rows, f"stretches of tags that break the rules of {scheme} and name no entity",
                "mend the tags, or name their scheme as task.scheme", count)  # fmt: skip

    def summary(self, split: Split) -> list[str]:
        if "tags" not in split.examples.column_names:
            return []
        rows, scheme = split.examples["tags"][:], self.scheme or "none"
        size = sum(map(len, rows))
        match scheme:
            case "none":
                return [f"{size} words, {len({tag for row in rows for tag in row})} different tags"]
            case "segmentation":
                return [f"{size} characters, {sum(len(chunks(row)) for row in rows)} words"]
        types = Counter(entity.type for row in rows for entity in entities(row, scheme))
        named = ": " * bool(types) + ", ".join(f"{count} {kind}" for kind, count in types.most_common())
        return [f"{size} words, tags of scheme {scheme}, {types.total()} entities{named}"]

    # -- from examples to features

    def head_config(self) -> dict[str, Any]:
        return {"id2label": dict(enumerate(self.labels)), "label2id": {tag: i for i, tag in enumerate(self.labels)}}

    def encode(self, examples: Columns, tokenizer: "PreTrainedTokenizerBase") -> Columns:
        """A further column: `heads`, the place of the first sub-word of each word whose tag is decided in this window,
        from the end where the tokenizer pads on the left. A sentence without words is read as one empty word."""
        sentences = [tokens or [""] for tokens in examples["tokens"]]
        ids_of, frame, limit = sub_words(sentences, tokenizer), Frame.of(tokenizer), self.limit(tokenizer)
        tag_ids = {tag: i for i, tag in enumerate(self.labels)}
        left = tokenizer.padding_side == "left"
        features: Columns = {}
        for i, tokens in enumerate(sentences):
            tags = [tag_ids[tag] for tag in examples["tags"][i]] if "tags" in examples else None
            for row in features_of([ids_of[token] for token in tokens], tags, frame, limit, self.doc_stride):
                row["example"] = i
                if left:
                    row["heads"] = [head - row["length"] for head in row["heads"]]
                for name, value in row.items():
                    features.setdefault(name, []).append(value)
        return features

    # -- from outputs to predictions

    def loss(self, outputs: Any, labels: "Tensor", num_items_in_batch: "Tensor | int | None" = None) -> "Tensor":
        from torch.nn import functional

        logits = outputs["logits"].float().flatten(0, 1)  # (B * L, C)
        items = (labels != IGNORE).sum() if num_items_in_batch is None else num_items_in_batch
        return functional.cross_entropy(logits, labels.flatten(), ignore_index=IGNORE, reduction="sum") / items

    def reduce(self, outputs: Any, features: Columns) -> list[Any]:
        counts = [len(heads) for heads in features["heads"]]
        rows = np.repeat(np.arange(len(counts)), counts)
        columns = np.concatenate([np.array(heads, dtype=np.int64) for heads in features["heads"]])
        logits = outputs["logits"][rows, columns].float().cpu().numpy()  # (words of the batch, C)
        return np.split(logits, np.cumsum(counts)[:-1])  # B x (W, C)

    def decode(self, outputs: list[Any], split: Split) -> list[Row]:
        names = [name for name in ("tokens", "text", "offsets") if name in split.examples.column_names]
        rows = [dict(zip(names, row, strict=True)) for row in zip(*(split.examples[n][:] for n in names), strict=True)]
        begins = np.cumsum([0, *(max(len(row["tokens"]), 1) for row in rows)])
        logits = np.concatenate(outputs)  # (all words, C), in order: earlier windows decide earlier words
        logits = logits / (1.0 if self.temperature == TUNED else self.temperature)
        best = logits.argmax(axis=1)
        scores = 1 / np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)
        return [
            self._prediction(row, best[begin : begin + len(row["tokens"])], scores[begin:])
            for begin, row in zip(begins, rows, strict=False)
        ]

    def _prediction(self, example: Row, best: np.ndarray, scores: np.ndarray) -> Row:
        """tokens, and for each one its tag and the tag's probability; then the entities, or the words of characters."""
        tokens, tags = example["tokens"], [self.labels[i] for i in best]
        prediction = {"tokens": tokens, "tags": tags, "scores": scores[: len(tags)].tolist()}
        match self.scheme:
            case "none":
                return prediction
            case "segmentation":
                return prediction | {"words": ["".join(tokens[start:end]) for start, end, _ in chunks(tags)]}
        found = [
            _place(entity, example) | {"label": entity.type, "score": float(scores[entity.start : entity.end].mean())}
            for entity in entities(tags, self.scheme or "IOB2")
        ]
        return prediction | {"entities": found}

    def references(self, examples: "Dataset") -> list[Any]:
        return [Tags(tags, tokens) for tags, tokens in zip(examples["tags"][:], examples["tokens"][:], strict=True)]

    def tune(self, outputs: list[Any], split: Split) -> Self:
        ids = {tag: i for i, tag in enumerate(self.labels)}
        tags = split.examples["tags"][:]
        logits = np.concatenate(outputs)  # a sentence without words has a row too
        real = np.concatenate([np.full(max(len(row), 1), bool(row)) for row in tags])
        right = np.array([ids[tag] for row in tags for tag in row])
        return self.model_copy(update={"temperature": temperature_of_labels(logits[real], right)})

    def confidence(self, predictions: list[Row], references: list[Any]) -> dict[str, Any]:
        pairs = zip(predictions, references, strict=True)
        right = [(row["scores"], [a == b for a, b in zip(row["tags"], tags, strict=True)]) for row, tags in pairs]
        return {"decisions": right}

    def answer(self, prediction: Row) -> Any:
        return prediction["tags"]

    def memory(self, train: "Dataset") -> dict[str, Any]:
        match self.scheme:
            case "none" | None:
                return {}
            case "segmentation":
                known = {"".join(row.tokens[w.start : w.end]) for row in self.references(train) for w in chunks(row)}
                return {"known_words": sorted(known)}
            case scheme:
                rows = self.references(train)
                known = {surface(row.tokens[e.start : e.end]) for row in rows for e in entities(row, scheme)}
                return {"scheme": scheme, "known_entities": sorted(known)}


def _meaningless(scheme: Scheme) -> set[str]:
    """The metrics of other schemes."""
    match scheme:
        case "none":
            return {*ENTITY_METRICS, "conlleval_f1", "word_segmentation"}
        case "segmentation":
            return {*ENTITY_METRICS, "conlleval_f1"}
        case _:
            return {"word_segmentation"}


def _place(entity: Entity, example: Row) -> Row:
    """Where an entity is: in a text, its characters, else its words; each as first, and the one after the last."""
    if "offsets" in example:
        start, end = example["offsets"][entity.start][0], example["offsets"][entity.end - 1][1]
        return {"text": example["text"][start:end], "start": start, "end": end}
    text = surface(example["tokens"][entity.start : entity.end])
    return {"text": text, "start_word": entity.start, "end_word": entity.end}
