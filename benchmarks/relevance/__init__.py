"""Benchmarks of the relevance of search on held-out judged queries."""
