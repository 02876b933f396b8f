"""Decoding: greedy, beam search, sampling, and minimum Bayes risk over candidates."""

from hf_tasks.decoding.strategies import MBR, AnyDecoding, Beam, Decoding, Greedy, Sample

__all__ = ["MBR", "AnyDecoding", "Beam", "Decoding", "Greedy", "Sample"]
