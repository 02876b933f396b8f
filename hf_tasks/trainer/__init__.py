"""transformers' Trainer, made safe: whole checkpoints, orderly stops, batches, going on after an interruption."""
