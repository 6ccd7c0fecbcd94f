"""Typed calls of `shop.search` and the related SQL functions."""
