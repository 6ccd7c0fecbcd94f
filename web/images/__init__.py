"""Thumbnails and visitors' uploads, and the bounded memory that keeps them."""
