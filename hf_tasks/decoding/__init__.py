"""How a text is chosen: among the sequences that a model gives, or among candidates that are there already."""

from hf_tasks.decoding.strategies import MBR, AnyDecoding, Beam, Decoding, Greedy, Sample

__all__ = ["MBR", "AnyDecoding", "Beam", "Decoding", "Greedy", "Sample"]
