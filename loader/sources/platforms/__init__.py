"""Reads the product exports of shop platforms, each by the public list of its columns."""
