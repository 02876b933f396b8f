"""Probing: how well a linear classifier predicts the labels from the frozen states of each layer (Alain and Bengio
2017, https://arxiv.org/abs/1610.01644). A text's vector in a layer is the mean over its tokens."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hf_tasks.runs import evaluation
from hf_tasks.runs.embed import Extractor
from hf_tasks.tasks import Task
from hf_tasks.tasks.collate import model_inputs

if TYPE_CHECKING:
    from datasets import Dataset

MOST_TRAIN, MOST_TESTED = 2000, 1000
"""Examples that are used, drawn at random."""
BATCH = 32


def layer_vectors(extractor: Extractor, task: Task, examples: "Dataset") -> np.ndarray:
    """(E, layers + 1, H) the mean over the tokens of each example, the embeddings first; of a long text those of its
    first window."""
    import torch

    features = evaluation.encode(examples, task, extractor.tokenizer).features
    _, first = np.unique(features["example"][:], return_index=True)
    order = first[np.argsort(-np.array(features["length"][:])[first], kind="stable")]
    collate, found = task.collator(extractor.tokenizer, extractor.model), dict[int, np.ndarray]()
    for start in range(0, len(order), BATCH):
        places = order[start : start + BATCH].tolist()
        inputs = model_inputs(collate([features[place] for place in places]))
        weights = inputs["attention_mask"].float()
        weights = (weights / weights.sum(1, keepdim=True)).cpu()  # (B, L)
        states = torch.stack([one.float().cpu() for one in extractor.states(inputs)], dim=1)  # (B, layers + 1, L, H)
        vectors = torch.einsum("bklh,bl->bkh", states, weights).numpy()
        found |= zip(places, vectors, strict=True)
    return np.stack([found[place] for place in first.tolist()])


def scores(train: np.ndarray, labels: Sequence[str], tested: np.ndarray, truth: Sequence[str]) -> list[float]:
    """The accuracy on `tested` (E, layers + 1, H) of logistic regression on each layer of `train`."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    found = []
    for layer in range(train.shape[1]):
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
        probe.fit(train[:, layer], list(labels))
        found.append(float(probe.score(tested[:, layer], list(truth))))
    return found


def drawn(examples: "Dataset", most: int, seed: int) -> "Dataset":
    """At most `most` of the examples, in their order."""
    if len(examples) <= most:
        return examples
    return examples.select(np.sort(np.random.default_rng(seed).choice(len(examples), most, replace=False)))
