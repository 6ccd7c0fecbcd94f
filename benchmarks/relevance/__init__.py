"""Relevance of search on held-out judged queries."""
