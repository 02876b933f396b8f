"""What is known of a run beyond its files."""
