"""What search finds, on held-out judged queries."""
