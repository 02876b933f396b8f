"""Metrics of generated texts, over a whole corpus and in percent, as papers print them.

Predictions are texts; a reference is a text or a list of texts; their number may differ between predictions.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache, lru_cache, partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from hf_tasks.metrics.metric import Metric, Sums, Value, Values, means, share

Reference = str | Sequence[str]
ROUGE = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
KEPT = 2**15
"""Texts whose slow scores are cached between evaluations."""
ORDERS = 4
"""Of n-grams, in BLEU."""
CHARACTERS = 6
"""Longest n-grams of characters, in chrF."""
WORDS = "13a"
TOKENIZERS = {
    "zh": ("zh", "zho", "cmn", "yue", "lzh", "wuu"),
    "ja-mecab": ("ja", "jpn"),
    "char": ("th", "tha", "lo", "lao", "km", "khm", "my", "mya", "bo", "bod", "dz", "dzo"),
}
"""sacrebleu's tokenizers for languages that write no blanks between words, and the codes of these."""
SCRIPTS = {
    "zh": re.compile("[\u3400-\u9fff]"),
    "ja-mecab": re.compile("[\u3040-\u30ff]"),
    "char": re.compile("[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff]"),
}


# -- BLEU (Papineni et al. 2002, https://aclanthology.org/P02-1040) with sacrebleu's defaults


def _bleu(predictions: Sequence[str], references: Sequence[Reference], language: str | None = None) -> Sums:
    scorer = _scorer("BLEU", effective_order=True, tokenize=tokenizer_of(references, language))
    pairs = zip(predictions, references, strict=True)
    scores = [scorer.sentence_score(prediction, _several(reference)) for prediction, reference in pairs]
    counts = [[*score.counts, *score.totals, score.sys_len, score.ref_len] for score in scores]
    return Sums(np.array(counts, float).reshape(-1, 2 * ORDERS + 2), lambda s: {"bleu": _bleu_of_sums(s)})


def _bleu_of_sums(s: np.ndarray) -> np.ndarray:
    """(R,) with sacrebleu's exponential smoothing: the n-th order without any match counts as 1 / 2^n of one."""
    right, found, length, expected = s[:, :ORDERS], s[:, ORDERS : 2 * ORDERS], s[:, -2], s[:, -1]
    smoothed = np.where(right > 0, right, 0.5 ** np.cumsum(right == 0, axis=1))
    whole = np.all(found > 0, axis=1) & np.any(right > 0, axis=1)
    logs = np.log(np.where(whole[:, None], smoothed / np.where(found > 0, found, 1), 1)).mean(1)
    shorter = 1 - expected / np.where(length > 0, length, 1)
    return np.where(whole, 100 * np.exp(logs + np.minimum(0, shorter)), 0.0)


# -- chrF (Popović 2015, https://aclanthology.org/W15-3049; 2017, https://aclanthology.org/W17-4770)


def _chrf(
    predictions: Sequence[str], references: Sequence[Reference], *, name: str = "chrf", word_order: int = 0
) -> Sums:
    counts = [_chrf_counts(p, _several(r), word_order) for p, r in zip(predictions, references, strict=True)]
    shape = (-1, 3 * (CHARACTERS + word_order))
    return Sums(np.array(counts, float).reshape(shape), lambda s: {name: _chrf_of_sums(s)})


def _chrf_counts(prediction: str, references: Sequence[str], word_order: int) -> np.ndarray:
    """(3 x orders,) for each order of n-grams: those of the prediction, of its best reference, and of both."""
    own = _ngrams(prediction, word_order)
    each = []
    for reference in references:
        pairs = zip(own, _ngrams(reference, word_order), strict=True)
        each.append([n for found, right in pairs for n in _shared(found, right)])
    counts = np.array(each, float)
    best = 0 if len(counts) == 1 else int(_chrf_of_sums(counts).argmax())
    return np.asarray(counts[best])


def _ngrams(text: str, word_order: int) -> list[Counter[Any]]:
    from sacrebleu.metrics.helpers import extract_all_char_ngrams, extract_word_ngrams

    words = _words(text) if word_order else []
    characters = extract_all_char_ngrams(text, CHARACTERS, False)
    return [*characters, *(extract_word_ngrams(words, n) for n in range(1, word_order + 1))]


def _words(text: str) -> list[str]:
    """Words, with punctuation at one of their ends as a word of its own."""
    words: list[str] = []
    for word in text.split():
        if len(word) > 1 and word[-1] in string.punctuation:
            words += [word[:-1], word[-1]]
        elif len(word) > 1 and word[0] in string.punctuation:
            words += [word[0], word[1:]]
        else:
            words.append(word)
    return words


def _shared(found: Counter[Any], right: Counter[Any]) -> tuple[int, int, int]:
    """Items of the prediction (none where the reference has none), of the reference, of both."""
    same = sum(min(count, right[ngram]) for ngram, count in found.items() if ngram in right)
    return (found.total() if right else 0), right.total(), same


def _chrf_of_sums(s: np.ndarray) -> np.ndarray:
    """(R,) F2 of the mean precision and the mean recall of the orders that both sides have."""
    found, expected, right = s[:, ::3], s[:, 1::3], s[:, 2::3]
    both = (found > 0) & (expected > 0)
    orders = np.maximum(both.sum(1), 1)
    precision, recall = ((share(right, whole) * both).sum(1) / orders for whole in (found, expected))
    return share(500 * precision * recall, 4 * precision + recall)


# -- TER (Snover et al. 2006, https://aclanthology.org/2006.amta-papers.25): edits for 100 words of the references


def _ter(predictions: Sequence[str], references: Sequence[Reference], language: str | None = None) -> Sums:
    """Sums of edits, and of the mean length of the references in words; in characters, where no blanks divide words."""
    pairs, characters = zip(predictions, references, strict=True), tokenizer_of(references, language) != WORDS
    counts = [_edits(prediction, tuple(_several(reference)), characters) for prediction, reference in pairs]

    def of_sums(s: np.ndarray) -> Values:
        return {"ter": np.where(s[:, 1] > 0, 100 * share(*s.T), 100.0 * (s[:, 0] > 0))}

    return Sums(np.array(counts, float).reshape(-1, 2), of_sums)


def _ter_options(characters: bool) -> dict[str, bool]:
    return {"normalized": True, "asian_support": True} if characters else {}


@lru_cache(KEPT)
def _edits(prediction: str, references: tuple[str, ...], characters: bool) -> tuple[float, float]:
    score = _scorer("TER", **_ter_options(characters)).sentence_score(prediction, references)
    return float(score.num_edits), float(score.ref_length)


# -- ROUGE (Lin 2004, https://aclanthology.org/W04-1013), with Porter's stemmer as in ROUGE-1.5.5 -m


def _rouge(predictions: Sequence[str], references: Sequence[Reference], *, first: str = "rouge1") -> Sums:
    """Mean F-measures; of several references, the best for each kind.

    Lsum takes lines as sentences: put each sentence of a summary on a line of its own. As in the original, words are
    made of a-z and 0-9 alone, so that ROUGE says nothing about other scripts.
    """
    pairs = zip(predictions, references, strict=True)
    each = [_f_measures(prediction, tuple(_several(reference))) for prediction, reference in pairs]
    columns = dict(zip(ROUGE, np.array(each, float).reshape(-1, len(ROUGE)).T, strict=True))
    return means({first: columns[first]} | columns, scale=100)


@cache
def _rouge_scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(ROUGE, use_stemmer=True)


@lru_cache(KEPT)
def _f_measures(prediction: str, references: tuple[str, ...]) -> tuple[float, ...]:
    scores = _rouge_scorer().score_multi(references, prediction)
    return tuple(scores[kind].fmeasure for kind in ROUGE)


# -- sacrebleu


@cache
def _scorer(name: str, **options: Any) -> Any:
    import sacrebleu.metrics

    return getattr(sacrebleu.metrics, name)(**options)


def tokenizer_of(references: Sequence[Reference], language: str | None = None) -> str:
    """The name of sacrebleu's tokenizer for a language, such as zh, zh_CN or zho_Hans; without one, for the script that
    most letters of the references have. Words of Japanese need MeCab; without it, they are characters."""
    if language:
        code = re.split("[-_]", language.lower())[0]
        found = next((name for name, codes in TOKENIZERS.items() if code in codes), WORDS)
    else:
        text = "".join(_several(reference)[0][:200] for reference in references[:500])
        shares = {name: len(letters.findall(text)) for name, letters in SCRIPTS.items()}
        if shares["ja-mecab"] > 0.05 * shares["zh"]:  # Japanese has kana among its Chinese characters
            shares["ja-mecab"] += shares["zh"]
        best = max(shares, key=lambda name: shares[name])
        found = best if shares[best] > sum(map(str.isalpha, text)) / 2 else WORDS
    return "char" if found == "ja-mecab" and not find_spec("MeCab") else found


def _signature(
    predictions: Sequence[str],
    references: Sequence[Reference],
    language: str | None = None,
    *,
    name: str,
    scorer: Callable[[str], Any],
) -> dict[str, str]:
    """sacrebleu's signature, to quote with a score (Post 2018, https://aclanthology.org/W18-6319)."""
    several = [_several(reference) for reference in references]
    by_number = sorted(range(len(several)), key=lambda i: len(several[i]))
    ends = [by_number[0], by_number[-1]]  # they give the number of references, or that it varies
    streams = [[next(iter(several[i][k:]), None) for i in ends] for k in range(len(several[ends[1]]))]
    metric = scorer(tokenizer_of(references, language))
    metric.corpus_score([predictions[i] for i in ends], streams)
    return {f"{name}_signature": str(metric.get_signature())}


def _several(reference: Reference) -> list[str]:
    return [reference] if isinstance(reference, str) else list(reference)


_ROUGE = {
    "rouge1": Value("F-measure of shared words, in percent (Lin 2004)", "rouge", highest=100),
    "rouge2": Value("F-measure of shared pairs of words, in percent (Lin 2004)", "rouge", highest=100),
    "rougeL": Value("F-measure of the longest common subsequence, in percent (Lin 2004)", "rouge", highest=100),
    "rougeLsum": Value(
        "F-measure of the longest common subsequences of sentences, in percent (Lin 2004)", "rouge", highest=100
    ),
}

bleu = Metric(
    {"bleu": Value("BLEU of the corpus, in percent (Papineni et al. 2002), by sacrebleu", highest=100)},
    _bleu,
    partial(_signature, name="bleu", scorer=lambda tokenizer: _scorer("BLEU", tokenize=tokenizer)),
)
chrf = Metric(
    {"chrf": Value("chrF2 of the corpus, in percent (Popović 2015), by sacrebleu", highest=100)},
    _chrf,
    partial(_signature, name="chrf", scorer=lambda _: _scorer("CHRF")),
)
chrf_plus_plus = Metric(
    {"chrf++": Value("chrF2++ of the corpus, in percent (Popović 2017), by sacrebleu", "chrf", highest=100)},
    partial(_chrf, name="chrf++", word_order=2),
    partial(_signature, name="chrf++", scorer=lambda _: _scorer("CHRF", word_order=2)),
)
ter = Metric(
    {
        "ter": Value(
            "translation edit rate in percent, lower is better (Snover et al. 2006), by sacrebleu", highest=np.inf
        )
    },
    _ter,
    partial(_signature, name="ter", scorer=lambda tokenizer: _scorer("TER", **_ter_options(tokenizer != WORDS))),
    higher_is_better=False,
)
rouge = Metric(_ROUGE, _rouge)
rouge_l = Metric(_ROUGE, partial(_rouge, first="rougeL"))
"""As `rouge`, with ROUGE-L first: the longest common subsequence chooses the checkpoint."""
