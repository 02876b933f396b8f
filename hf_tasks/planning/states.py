"""What the states of a frozen encoder will take, and a training on them, by those of a few features."""

import math
import time
from dataclasses import dataclass

from hf_tasks.frozen import feature_store
from hf_tasks.frozen.encoder import lengths_of
from hf_tasks.frozen.frozen_features import encoder_of, played, read_by_model
from hf_tasks.ready import Ready
from hf_tasks.tasks import EncodedSplit
from hf_tasks.trainer.arguments import autocasts


@dataclass(frozen=True)
class States:
    learned: dict[str, EncodedSplit]
    """The few features as training will read them; their states are in memory."""
    seconds: float = 0.0
    """To encode all features that are not found on disk,"""
    size: int = 0
    """bytes of their states; 0: none are kept."""


def states_of(few: Ready, splits: dict[str, EncodedSplit]) -> States:
    """As `frozen_features.remembered`, with nothing written. `splits`: all the features."""
    encoder = encoder_of(few.recipe, few.model, few.splits["train"], few.tokenizer, few.args.device)
    if encoder is None:
        return States(few.splits)
    kept, seconds, size = {}, 0.0, 0
    for name in few.splits.keys() & splits.keys():
        in_bfloat16 = autocasts(few.recipe) and name == "train"
        every = read_by_model(splits[name].features, encoder.inputs)
        taken = 4 * math.prod(encoder.shape(every))
        if taken > feature_store.limit(feature_store.root()):
            continue
        size += taken
        begun, some = time.perf_counter(), read_by_model(few.splits[name].features, encoder.inputs)
        kept[name] = encoder.in_memory(some, in_bfloat16)
        if not (feature_store.root() / encoder.key(every, in_bfloat16)).exists():
            share = float(lengths_of(every).sum() / lengths_of(some).sum())
            seconds += (time.perf_counter() - begun) * share
    return States(played(encoder, few.splits, kept) if kept else few.splits, seconds, size)
