"""Usual names of columns, the likeliest first."""

from collections.abc import Iterable, Sequence

TEXTS = (
    "text", "sentence", "source", "article", "document", "dialogue", "dialog", "review", "review_body", "reviewtext",
    "review_text", "content", "body", "comment", "comment_text", "tweet", "message", "sms", "question", "query",
    "utterance", "statement", "abstract", "description", "post", "input", "src", "prompt", "headline", "title",
)  # fmt: skip
TARGETS = (
    "summary", "highlights", "references", "summaries", "tldr", "target", "targets", "corrected", "correction",
    "corrections", "output", "tgt", "completion", "paraphrase", "simplified", "translation",
)  # fmt: skip
PAIRS = (
    ("premise", "hypothesis"), ("sentence1", "sentence2"), ("question1", "question2"), ("text_a", "text_b"),
    ("text", "text_pair"), ("text1", "text2"), ("sentence_a", "sentence_b"), ("headline", "body"),
    ("claim", "evidence"), ("question", "sentence"), ("query", "passage"), ("query", "document"),
    ("question", "answer"), ("question", "passage"), ("context", "response"),
)  # fmt: skip
LABELS = (
    "label", "labels", "gold_label", "category", "categories", "class", "intent", "sentiment", "stance", "emotion",
    "emotions", "topic", "topics", "tags", "genres", "genre", "target", "is_duplicate", "stars", "rating", "score",
    "similarity", "similarity_score", "relatedness", "polarity", "toxicity", "y", "answer", "status", "language",
)  # fmt: skip
SCORES = ("score", "similarity", "similarity_score", "relatedness", "relatedness_score", "rating", "grade", "toxicity")
TOKENS = ("tokens", "words")
TAGS = ("tags", "ner_tags", "pos_tags", "upos", "ner", "pos", "labels", "entities_tags")
SPANS = ("spans", "entities", "label", "labels")


def named(names: Iterable[str], wanted: Sequence[str]) -> str | None:
    """The first of the `wanted` names that is there, in any case of letters."""
    lower = {name.lower(): name for name in names}
    return next((lower[name] for name in wanted if name in lower), None)
