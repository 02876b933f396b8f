"""To and from the Hub: what of a run goes there, how it gets there, how it comes back."""
