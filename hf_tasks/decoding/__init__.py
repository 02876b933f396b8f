"""How a text is chosen: among the sequences that a model gives, or among candidates that are there already."""
