"""Detect the language of texts from their script and, in Latin letters, from frequent words."""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Any

FREQUENT = {
    "de": "der die das und ist nicht ein eine mit auf für von dem den sich auch wird zu ich",
    "en": "the of and to is that it for with you this was are have not be on",
    "es": "el los de que en una por con para no se del las como está lo y",
    "fr": "le les des et est une dans pour que qui sur pas avec sont du il vous",
    "it": "il di che è non per una sono con gli del della le si ha anche",
    "nl": "de het een van en dat niet te zijn voor met op die ook ik wordt",
    "pl": "nie się jest na że do to jak z po co tak ale od są",
    "pt": "o os de que não uma para com em um do da se por mais você",
    "sv": "och att det som en är på inte för jag med den har av ett",
}
"""The most frequent words of languages."""
SCRIPTS = {
    "ja": r"[\u3040-\u30ff]", "ko": r"[\uac00-\ud7af]", "zh": r"[\u4e00-\u9fff]", "ar": r"[\u0600-\u06ff]",
    "el": r"[\u0370-\u03ff]", "he": r"[\u0590-\u05ff]", "hi": r"[\u0900-\u097f]", "th": r"[\u0e00-\u0e7f]",
    "ru": r"[\u0400-\u04ff]",
}  # fmt: skip
"""Script -> language; Japanese comes before Chinese, whose characters it also uses; Cyrillic counts as Russian."""
ENOUGH = 0.12
"""Minimum share of a language's frequent words in a text of this language."""
DIFFERENT = 4
"""Minimum number of different frequent words, since one word can belong to several languages."""
LOOKED_AT = 200

_WORD = re.compile(r"[^\W\d_]+")


def likely_language(texts: Iterable[Any]) -> str | None:
    """Return the ISO 639-1 code of the language of most texts, or None if it is unknown."""
    text = " ".join(map(str, islice(texts, LOOKED_AT))).lower()
    words = Counter(_WORD.findall(text))
    letters = sum(len(word) * count for word, count in words.items())
    for code, pattern in SCRIPTS.items():
        if letters and len(re.findall(pattern, text)) > letters / (10 if code == "ja" else 3):
            return code
    shares = {code: sum(words[word] for word in some.split()) for code, some in FREQUENT.items()}
    best = max(shares, key=lambda code: shares[code])
    different = sum(word in words for word in FREQUENT[best].split())
    return best if shares[best] > ENOUGH * words.total() and different >= DIFFERENT else None
