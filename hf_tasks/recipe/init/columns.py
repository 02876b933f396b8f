"""Detect what the columns of a dataset hold, from their values and names."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from hf_tasks.tasks.types import RawRow

LANGUAGES = {
    "ar": "Arabic", "bg": "Bulgarian", "ca": "Catalan", "cs": "Czech", "cy": "Welsh", "da": "Danish", "de": "German",
    "el": "Greek", "en": "English", "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian",
    "fi": "Finnish", "fr": "French", "ga": "Irish", "gl": "Galician", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian",
    "hu": "Hungarian", "id": "Indonesian", "is": "Icelandic", "it": "Italian", "ja": "Japanese", "ko": "Korean",
    "lt": "Lithuanian", "lv": "Latvian", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese",
    "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovenian", "sr": "Serbian", "sv": "Swedish",
    "ta": "Tamil", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese",
    "zh": "Chinese",
}  # fmt: skip
"""ISO 639-1 code -> language."""

TEXTS = (
    "text", "sentence", "source", "article", "document", "dialogue", "dialog", "review", "review_body", "reviewtext",
    "review_text", "content", "body", "comment", "comment_text", "tweet", "message", "sms", "question", "query",
    "utterance", "statement", "abstract", "post", "input", "src", "texte", "avis", "phrase", "satz", "kommentar",
    "texto", "frase", "testo", "comentario", "comentário", "recensione", "tekst", "zin", "yorum", "metin", "opinia",
    "文本", "句子", "评论", "内容", "本文", "文章", "文", "문장", "텍스트", "내용", "리뷰", "댓글", "текст", "отзыв",
    "نص", "description", "prompt", "headline", "title",
)  # fmt: skip
TARGETS = (
    "summary", "highlights", "references", "summaries", "tldr", "target", "targets", "corrected", "correction",
    "corrections", "output", "tgt", "completion", "paraphrase", "simplified", "simple", "translation", "résumé",
    "resume", "zusammenfassung", "resumen", "riassunto", "samenvatting", "resumo", "streszczenie", "özet", "摘要",
    "要約", "요약", "резюме", "reference", "response",
)  # fmt: skip
PAIRS = (
    ("premise", "hypothesis"), ("headline", "body"), ("claim", "evidence"), ("question", "sentence"),
    ("query", "passage"), ("query", "document"), ("question", "answer"), ("question", "passage"),
    ("context", "response"), ("text", "text_pair"), ("prémisse", "hypothèse"), ("premisse", "hypothese"),
    ("premisa", "hipótesis"), ("premissa", "hipótese"), ("premessa", "ipotesi"), ("前提", "仮説"), ("前提", "假设"),
    ("전제", "가설"), ("посылка", "гипотеза"), ("질문", "답변"), ("frage", "antwort"), ("pregunta", "respuesta"),
)  # fmt: skip
"""Names of two columns of a text pair; names with a counter (sentence1, sentence2) are detected too."""
LABELS = (
    "label", "labels", "gold_label", "gold", "majority", "category", "categories", "class", "intent", "sentiment",
    "stance", "emotion", "emotions", "topic", "topics", "tags", "target", "is_duplicate", "stars", "rating", "score",
    "similarity", "relatedness", "entailment", "judgment", "judgement", "polarity", "toxicity", "genres", "lbl",
    "consensus", "grade", "etiquette", "étiquette", "étiquettes", "catégorie", "classe", "klasse", "kategorie",
    "rubrik", "etiqueta", "categoría", "clase", "sentimiento", "etichetta", "categoria", "sentimento", "rótulo",
    "rotulo", "etiket", "puan", "duygu", "kategori", "categorie", "etykieta", "etikett", "标签", "类别", "情感",
    "ラベル", "カテゴリ", "関係", "感情", "라벨", "레이블", "감정", "분류", "метка", "класс", "тональность",
    "категория", "y", "answer", "status", "genre", "language",
)  # fmt: skip
SCORES = ("score", "similarity", "similarity_score", "relatedness", "relatedness_score", "rating", "grade", "toxicity")
QUESTIONS = (
    "question", "query", "pregunta", "frage", "domanda", "pergunta", "vraag", "pytanie", "soru", "fråga", "вопрос",
    "问题", "質問", "질문",
)  # fmt: skip
CONTEXTS = (
    "context", "passage", "paragraph", "contexto", "contexte", "kontext", "contesto", "absatz", "metin", "tekst",
    "контекст", "上下文", "段落", "文脈", "지문", "article", "document", "story",
)  # fmt: skip
TOKENS = ("tokens", "words")
TAGS = ("tags", "ner_tags", "pos_tags", "upos", "ner", "pos", "labels", "entities_tags")

Kind = Literal[
    "text", "label", "number", "list", "numbers", "spans", "answers", "languages", "identifier", "url", "date",
    "constant", "empty", "other",
]  # fmt: skip
LABEL_WORDS = 6
"""Labels have fewer words than this on average."""
MOST_LABELS = 500

_CODE = re.compile(r"([a-z]{2})([_-][A-Za-z]{2,4})?")
_PIECES = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]|[^\W\u3040-\u30ff\u4e00-\u9fff]+|[^\w\s]")
_IDENTIFIER = re.compile(
    r"(?i:(.*[_\-. ])?(id|idx|uuid|guid|index|key|hash|identifiant|kennung)|unnamed.*|)|[A-Za-z]+I[Dd]"
)
_URL = re.compile(r"(https?://|www\.)\S+")
_DATE = re.compile(
    r"\d{4}-\d\d?-\d\d?([T ].*)?|\d\d?[./]\d\d?[./]\d{2,4}( .*)?|"
    r"[A-Z][a-z]{2},? ([A-Z][a-z]{2} \d\d?|\d\d? [A-Z][a-z]{2}).* \d{4}.*"  # Mon Apr 06 22:19:45 PDT 2009
)
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")


@dataclass(frozen=True)
class Column:
    """A column and its values in a sample of rows."""

    name: str
    values: tuple[Any, ...]
    """The values that are not missing."""

    @cached_property
    def counts(self) -> Counter[str]:
        """The values as strings with their counts, the most frequent first."""
        return Counter(dict(Counter(map(str, self.values)).most_common()))

    @cached_property
    def words(self) -> float:
        """Mean number of words per value."""
        return sum(words(str(value)) for value in self.values[:1000]) / max(1, len(self.values[:1000]))

    @cached_property
    def integers(self) -> bool:
        return all(re.fullmatch(r"[-+]?\d+(\.0)?", text) for text in self.counts)

    @property
    def few(self) -> bool:
        """Whether values repeat, as labels do."""
        n, different = len(self.values), len(self.counts)
        return different < n and different <= max(2, min(n / 2, 0.2 * n + 5, MOST_LABELS))

    @property
    def unique(self) -> bool:
        return len(self.counts) == len(self.values)

    @property
    def flags(self) -> bool:
        return {text.lower() for text in self.counts} in ({"0", "1"}, {"true", "false"}, {"0.0", "1.0"})

    @cached_property
    def kind(self) -> Kind:
        match self.values[0] if self.values else None:
            case None:
                return "empty"
            case {"text": _, "answer_start": _} | [{"text": _, "answer_start": _}, *_]:
                return "answers"
            case dict() as value:
                texts = len(value) > 1 and all(isinstance(text, str) for text in value.values())
                return "languages" if texts and value.keys() <= LANGUAGES.keys() else "other"
            case list():
                return self._kind_of_lists()
            case _:
                return self._kind_of_scalars()

    def _kind_of_lists(self) -> Kind:
        items = [item for value in self.values if isinstance(value, list) for item in value]
        match items[0] if items else "":
            case str():
                return "list"
            case int():
                return "numbers"
            case {"start": _} | {"start_offset": _} | {"value": {"start": _}} | [int(), int(), str(), *_]:
                return "spans"
            case {"text": _, "answer_start": _}:
                return "answers"
            case _:
                return "other"

    def _kind_of_scalars(self) -> Kind:
        texts, n = list(self.counts), len(self.values)
        if len(texts) == 1 and n > 1:
            return "constant"
        patterns: tuple[tuple[Kind, re.Pattern[str]], ...] = (("url", _URL), ("date", _DATE))
        for kind, pattern in patterns:
            if sum(pattern.fullmatch(text) is not None for text in texts) > 0.9 * len(texts):
                return kind
        named = _IDENTIFIER.fullmatch(self.name.rpartition(".")[2]) is not None
        if all(map(_NUMBER.fullmatch, texts)):
            counted = self.integers and len(texts) == n > 20
            return "identifier" if counted or named else "number"
        if self.few and self.words < LABEL_WORDS:
            return "identifier" if named else "label"
        codes = len(texts) == n > 1 and not any(" " in text for text in texts[:100]) and self.words < LABEL_WORDS
        return "identifier" if (named or codes) and self.words < LABEL_WORDS else "text"

    def example(self) -> str:
        """Return `name ("a value ...")`, for messages."""
        text = " ".join(str(self.values[0]).split()) if self.values else "empty"
        return f'{self.name} ("{text if len(text) <= 30 else text[:27] + "..."}")'


Columns = dict[str, Column]


def profile(rows: Sequence[RawRow], names: Sequence[str]) -> Columns:
    """Return {name: column} of rows."""
    return {
        name: Column(name, tuple(value for row in rows if (value := row.get(name)) is not None and value != ""))
        for name in names
        if name
    }


def named(names: Iterable[str], wanted: Sequence[str]) -> str | None:
    """Return the first of the `wanted` names in `names`, ignoring case and the prefix of names such as `a.b`."""
    lower = {key: name for name in reversed(list(names)) for key in (name.rpartition(".")[2].lower(), name.lower())}
    return next((lower[name] for name in wanted if name in lower), None)


def name_words(name: str) -> list[str]:
    """Return the words of a column's name: `entailment_AB` gives entailment, ab; `isSpam` gives is, spam."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+", name)]


def language_of(word: str) -> str | None:
    """Return `en` for "en", "en_XX" or "en-GB"; None if the word is not a language code."""
    match = _CODE.fullmatch(word)
    return match[1] if match and match[1] in LANGUAGES else None


def words(text: str) -> int:
    """Count words, punctuation marks, and Chinese and Japanese characters."""
    return len(_PIECES.findall(text))
