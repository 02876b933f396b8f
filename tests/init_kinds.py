"""Small data sets of every kind that `init` recognises."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Write = Callable[[Path], list[str]]
SENTENCES = (
    "the film was slow and the plot was thin", "this is a good book for you", "what is the price of the ticket",
    "the room was clean and they were kind", "it is not what you have ordered",
)  # fmt: skip


def text(i: int, times: int = 1) -> str:
    """A sentence of its own for each i."""
    return " ".join([SENTENCES[i % 5]] * times) + f" {i}"


def lines(path: Path, rows: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


def csv(folder: Path, name: str, header: str, row: Callable[[int], str], n: int = 60) -> list[str]:
    lines(folder / name, [header, *map(row, range(n))])
    return [str(folder / name)]


def jsonl(folder: Path, name: str, row: Callable[[int], dict[str, Any]], n: int = 60) -> list[str]:
    lines(folder / name, (json.dumps(row(i), ensure_ascii=False) for i in range(n)))
    return [str(folder / name)]


def single_label(folder: Path) -> list[str]:
    def row(i: int) -> str:
        return f"R{i:04d},{text(i)},{1 + i % 5},2024-01-{1 + i % 28:02d},https://example.org/{i},camera"

    return csv(folder, "reviews.csv", "review_id,review,stars,date,link,product", row)


def binary(folder: Path) -> list[str]:
    return jsonl(folder, "spam.jsonl", lambda i: {"message": text(i), "is_spam": i % 10 == 0})


def splits(folder: Path) -> list[str]:
    for name, n in (("train", 60), ("dev", 20), ("test", 10)):
        csv(folder / "intents", f"{name}.tsv", "sentence\tlabel", lambda i: f"{text(i)}\t{'ab'[i % 2]}", n)
    return [str(folder / "intents")]


def label_lists(folder: Path) -> list[str]:
    return jsonl(folder, "moods.jsonl", lambda i: {"text": text(i), "labels": ["joy", "fear"][: i % 3]})


def separated_labels(folder: Path) -> list[str]:
    kinds = ("drama", "drama;war", "comedy", "comedy;crime;drama", "war;crime", "war")
    return csv(folder, "films.csv", "plot,genres", lambda i: f"{text(i)},{kinds[i % 6]}")


def flags(folder: Path) -> list[str]:
    def row(i: int) -> str:
        return f"{i},{text(i)},{i % 2},{int(i % 3 == 0)},{int(i % 5 == 0)}"

    return csv(folder, "comments.csv", "id,comment_text,toxic,severe,obscene", row)


def parquet(folder: Path) -> list[str]:
    """Two pieces, with the names of the labels, as the Hub keeps data sets."""
    from datasets import ClassLabel, Dataset, Features, Value

    folder.mkdir(exist_ok=True)
    features = Features({"text": Value("string"), "label": ClassLabel(names=["neg", "pos"])})
    for piece in range(2):
        rows = {"text": [text(30 * piece + i) for i in range(30)], "label": [i % 2 for i in range(30)]}
        data = Dataset.from_dict(rows, features=features)
        data.to_parquet(folder / f"train-0000{piece}-of-00002.parquet")
    return [str(folder / "train-*.parquet")]


def regression(folder: Path) -> list[str]:
    return csv(folder, "pairs.csv", "sentence1,sentence2,score", lambda i: f"{text(i)},{text(i + 1)},{i % 7 / 2}")


def pairs(folder: Path) -> list[str]:
    labels = ("entailment", "neutral", "contradiction")

    def row(i: int) -> dict[str, Any]:
        return {"pairID": f"p{i}", "premise": text(i), "hypothesis": text(i + 2), "gold_label": labels[i % 3]}

    return jsonl(folder, "nli.jsonl", row)


def entities(folder: Path) -> list[str]:
    words = (
        "Ann/NNP/B-PER met/VBD/O Bo/NNP/B-PER and/CC/O they/PRP/O have/VBP/O the/DT/O book/NN/O of/IN/O Rome/NNP/B-LOC"
    )
    sentence = [*(word.replace("/", " ") for word in words.split()), ""]
    for name, n in (("train.conll", 40), ("dev.conll", 10)):
        lines(folder / "names" / name, sentence * n)
    return [str(folder / "names" / name) for name in ("train.conll", "dev.conll")]


def parts_of_speech(folder: Path) -> list[str]:
    words = (("Dogs", "dog", "NOUN", "NNS"), ("bark", "bark", "VERB", "VBP"), (".", ".", "PUNCT", "."))
    sentence = [f"{i}\t{f}\t{m}\t{u}\t{x}\t_\t0\troot\t_\t_" for i, (f, m, u, x) in enumerate(words, 1)]
    lines(folder / "dogs.conllu", [*sentence, ""] * 30)
    return [str(folder / "dogs.conllu")]


def tag_numbers(folder: Path) -> list[str]:
    row = {"tokens": ["Ann", "met", "Bo", "in", "Rome"], "ner_tags": [1, 0, 1, 0, 2]}
    return jsonl(folder, "numbers.jsonl", lambda i: {"id": str(i)} | row)


def spans(folder: Path) -> list[str]:
    row = {"text": "Ann met Bo", "label": [[0, 3, "PER"], [8, 10, "PER"]]}
    return jsonl(folder, "doccano.jsonl", lambda i: {"id": i} | row)


def segmentation(folder: Path) -> list[str]:
    lines(folder / "words.txt", ["女士 们 ， 先生 们", "共同 创造 美好 的 新 世纪"] * 20)
    return [str(folder / "words.txt")]


def squad(folder: Path, *, negative: bool = False) -> list[str]:
    context = "The Denver Broncos beat the Panthers."
    answer = {"text": "Denver Broncos", "answer_start": 4}
    questions = [
        {"id": str(i), "question": f"Who won game {i}?", "answers": [] if none else [answer]}
        | ({"is_impossible": none} if negative else {})
        for i, none in enumerate([negative, *[False] * 19])
    ]
    paragraphs = [{"context": f"{context} {i}", "qas": questions[i::2]} for i in range(2)]
    lines(folder / "squad.json", [json.dumps({"data": [{"paragraphs": [split]} for split in paragraphs]})])
    return [str(folder / "squad.json")]


def squad_2(folder: Path) -> list[str]:
    return squad(folder, negative=True)


def summaries(folder: Path) -> list[str]:
    return jsonl(folder, "news.jsonl", lambda i: {"id": i, "article": text(i, 10), "highlights": text(i)})


def parallel(folder: Path) -> list[str]:
    for name, n in (("train", 40), ("val", 10)):
        lines(folder / f"{name}.en", map(text, range(n)))
        lines(folder / f"{name}.de", (f"Der Film war zu lang {i}" for i in range(n)))
    return [str(folder / name) for name in ("train.en", "train.de", "val.en", "val.de")]


def translation_dict(folder: Path) -> list[str]:
    return jsonl(folder, "pairs.jsonl", lambda i: {"translation": {"fr": f"le film {i}", "en": text(i)}})


def corrections(folder: Path) -> list[str]:
    lines(folder / "essays" / "train.src", (f"he go to the house {i}" for i in range(40)))
    for k, verb in enumerate(("goes", "went")):
        lines(folder / "essays" / f"train.ref{k}", (f"he {verb} to the house {i}" for i in range(40)))
    return [str(folder / "essays")]


def any_texts(folder: Path) -> list[str]:
    return jsonl(folder, "any.jsonl", lambda i: {"prompt": text(i), "completion": f"{i} ways: yes, no, perhaps so"})


def pronouns(folder: Path) -> list[str]:
    header = ["ID", "Text", "Pronoun", "Pronoun-offset", "A", "A-offset", "A-coref", "B", "B-offset", "B-coref", "URL"]
    rows = ["\t".join(header)]
    for i in range(60):
        said = f"Ann met Eve number {i} before she left."
        flags = ("TRUE", "FALSE") if i % 3 else ("FALSE", "TRUE" if i % 2 else "FALSE")
        cells = (f"d-{i}", said, "she", said.index("she"), "Ann", 0, flags[0], "Eve", 8, flags[1], "http://x.org/Ann")
        rows.append("\t".join(map(str, cells)))
    lines(folder / "gap.tsv", rows)
    return [str(folder / "gap.tsv")]


def plain_texts(folder: Path) -> list[str]:
    lines(folder / "notes.txt", [text(i) for i in range(60)])
    return [str(folder / "notes.txt")]


def choices(folder: Path) -> list[str]:
    rows = ("sent1,sent2,ending0,ending1,ending2,label", *(
        f"{text(i)},then they,leave {i},stay {i},{'' if i % 3 else f'sing {i}'},{i % 2}" for i in range(60)
    ))  # fmt: skip
    lines(folder / "swag.csv", rows)
    return [str(folder / "swag.csv")]


def anchors(folder: Path) -> list[str]:
    row = {"negative_1": "the book is old", "negative_2": "they were late"}
    return jsonl(folder, "search.jsonl", lambda i: {"query": f"what is {i}", "positive": text(i)} | row)
