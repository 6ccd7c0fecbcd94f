"""Calls `shop.search` and related SQL functions with typed arguments and results."""
