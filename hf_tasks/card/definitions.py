"""What the measured values are, in words, and their names on the Hub. Keys are those of results.json."""

DEFINITIONS: dict[str, str] = {
    "loss": "the mean of the loss that training lowers, on these examples",
    "accuracy": "share of examples whose prediction is right; of several labels, all of them",
    "f1_macro": "F1, the harmonic mean of precision and recall, averaged over the labels",
    "f1_micro": "F1 over all decisions together",
    "f1_weighted": "F1 averaged over the labels by how often they occur",
    "precision_macro": "share of predicted labels that are right, averaged over the labels",
    "precision_micro": "share of predicted labels that are right",
    "precision_weighted": "precision averaged over the labels by how often they occur",
    "recall_macro": "share of true labels that are found, averaged over the labels",
    "recall_micro": "share of true labels that are found",
    "recall_weighted": "recall averaged over the labels by how often they occur",
    "matthews_correlation": "correlation of predicted and true labels from -1 to 1; 0 is chance (Matthews 1975)",
    "pearson": "linear correlation of predicted and true numbers, from -1 to 1",
    "spearman": "correlation of the ranks of predicted and true numbers, from -1 to 1",
    "mse": "mean squared error; lower is better",
    "ece": "expected calibration error: mean distance of probability and frequency, 15 bins; lower is better",
    "brier": "mean squared distance of the probabilities from what holds; lower is better (Brier 1950)",
    "nll": "mean negative log-likelihood of the true labels, in nats; lower is better",
    "entity_f1": "F1 of entities; one is right where all its words and its type are right (micro average)",
    "entity_precision": "share of predicted entities that are right",
    "entity_recall": "share of true entities that are found",
    "conlleval_f1": "F1 of entities as the CoNLL shared tasks counted it",
    "unseen_entity_recall": "recall of entities that are not in the training data",
    "seen_entity_recall": "recall of entities that are in the training data",
    "tagging_accuracy": "share of words with the right tag",
    "word_f1": "F1 of words; one is right where its first and last character are right",
    "word_precision": "share of predicted words that are right",
    "word_recall": "share of true words that are found",
    "oov_recall": "recall of words that are not in the training data",
    "iv_recall": "recall of words that are in the training data",
    "oov_rate": "share of words that are not in the training data",
    "exact_match": "percentage of answers equal to a reference, case, punctuation and articles aside",
    "exact": "percentage of answers equal to a reference, case, punctuation and articles aside",
    "f1": "percentage of words that answer and best reference share, as F1, averaged over the questions",
    "cmrc2018_exact_match": "percentage of answers equal to a reference, punctuation aside (CMRC 2018)",
    "cmrc2018_f1": "percentage of characters that answer and best reference share, in order, as F1 (CMRC 2018)",
    "cmrc2018_average": "mean of the two above (CMRC 2018)",
    "HasAns_exact": "exact, over the questions that have an answer",
    "HasAns_f1": "f1, over the questions that have an answer",
    "NoAns_exact": "exact, over the questions without an answer",
    "NoAns_f1": "f1, over the questions without an answer",
    "HasAns_total": "questions that have an answer",
    "NoAns_total": "questions without an answer",
    "best_exact_thresh": "the threshold of best_exact",
    "best_f1_thresh": "the threshold of best_f1",
    "best_exact": "exact at the threshold that is best for these very examples",
    "best_f1": "f1 at the threshold that is best for these very examples",
    "bleu": "BLEU of the corpus, in percent (Papineni et al. 2002), by sacrebleu",
    "chrf": "chrF2 of the corpus, in percent (Popović 2015), by sacrebleu",
    "chrf++": "chrF2++ of the corpus, in percent (Popović 2017), by sacrebleu",
    "ter": "translation edit rate in percent, lower is better (Snover et al. 2006), by sacrebleu",
    "rouge1": "F-measure of shared words, in percent (Lin 2004)",
    "rouge2": "F-measure of shared pairs of words, in percent (Lin 2004)",
    "rougeL": "F-measure of the longest common subsequence, in percent (Lin 2004)",
    "rougeLsum": "F-measure of the longest common subsequences of sentences, in percent (Lin 2004)",
}

NO_SCORES = ("n", "loss", "HasAns_total", "NoAns_total", "best_exact_thresh", "best_f1_thresh")
"""Values that say nothing of the model's quality by themselves."""
HUB_NAMES: dict[str, str] = {
    "pearson": "pearsonr",
    "spearman": "spearmanr",
    "exact": "exact_match",
    "HasAns_exact": "exact_match",
    "NoAns_exact": "exact_match",
    "best_exact": "exact_match",
    "cmrc2018_exact_match": "exact_match",
    "chrf++": "chrf",
    "rouge1": "rouge",
    "rouge2": "rouge",
    "rougeL": "rouge",
    "rougeLsum": "rouge",
}
FAMILIES = ("accuracy", "f1", "precision", "recall")


def hub_name(name: str) -> str:
    """The Hub's name of the metric that gives one of our values, e.g. `f1` for `f1_macro`."""
    family = next((word for word in name.split("_") if word in FAMILIES), name)
    return HUB_NAMES.get(name, family)
