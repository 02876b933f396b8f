"""Estimates before training: steps and disk from the data, memory and time from a dry run of a few steps."""
