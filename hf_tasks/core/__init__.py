"""Shared building blocks (errors, files, signals, processes, hardware); imports no other package of hf_tasks."""
