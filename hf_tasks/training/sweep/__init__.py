"""`sweep`: a recipe trained with several values of its keys, ranked by the validation part."""
