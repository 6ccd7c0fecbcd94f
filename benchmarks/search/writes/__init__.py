"""Measures how fast vectors get into a model's tables and indexes, and how changes of the catalog affect a search."""
