"""Training on a frozen encoder: its states are computed once, kept on disk, and played to the head."""
