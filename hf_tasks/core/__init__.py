"""What everything else stands on: it knows of no other package."""
