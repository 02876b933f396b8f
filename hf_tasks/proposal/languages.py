"""Languages: endings of files, and the language of texts as far as the choice of a model needs it."""

import re
from collections.abc import Iterable
from typing import Literal

NAMES = {
    "ar": "Arabic", "bg": "Bulgarian", "ca": "Catalan", "cs": "Czech", "cy": "Welsh", "da": "Danish", "de": "German",
    "el": "Greek", "en": "English", "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian",
    "fi": "Finnish", "fr": "French", "ga": "Irish", "gl": "Galician", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian",
    "hu": "Hungarian", "id": "Indonesian", "is": "Icelandic", "it": "Italian", "ja": "Japanese", "ko": "Korean",
    "lt": "Lithuanian", "lv": "Latvian", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese",
    "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovenian", "sr": "Serbian", "sv": "Swedish",
    "ta": "Tamil", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese",
    "zh": "Chinese",
}  # fmt: skip
"""ISO 639-1 codes."""

Language = Literal["English", "Chinese", "other"]

_CODE = re.compile(r"([a-z]{2})([_-][A-Za-z]{2,4})?")
_PIECES = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]|[^\W\u3040-\u30ff\u4e00-\u9fff]+|[^\w\s]")
_IDEOGRAPHS = re.compile(r"[\u4e00-\u9fff]")
_KANA_AND_HANGUL = re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
_LETTERS = re.compile(r"[^\W\d_]")
_ENGLISH = re.compile(
    r"\b(the|of|and|to|is|that|it|for|with|you|this|are|be|have|not|what|how|was|on|as|at|from|they|he|she|my|who)\b"
)
ENGLISH_SHARE = 0.08
"""Share of these words among all, above which a text in Latin letters is taken for English."""
FEW_WORDS = 200
"""Fewer words than this tell no language: Latin letters are then taken for English."""


def language_of(ending: str) -> str | None:
    """`en` of "en", "en_XX" or "en-GB"; None where the ending is no language."""
    match = _CODE.fullmatch(ending)
    return match[1] if match and match[1] in NAMES else None


def words(text: str) -> int:
    """Words, punctuation marks, and characters of Chinese and Japanese."""
    return len(_PIECES.findall(text))


def guess(texts: Iterable[str]) -> Language:
    """By letters; in Latin letters, by the share of words that are frequent in English alone."""
    text = " ".join(texts)
    letters = len(_LETTERS.findall(text)) or 1
    if len(_IDEOGRAPHS.findall(text)) > letters / 3 and len(_KANA_AND_HANGUL.findall(text)) < letters / 20:
        return "Chinese"
    found = [word for word in _PIECES.findall(text.lower()) if word.isalpha()]
    english = len(_ENGLISH.findall(text.lower()))
    if len(_LATIN.findall(text)) > 0.9 * letters and english > ENGLISH_SHARE * (len(found) - FEW_WORDS):
        return "English"
    return "other"
