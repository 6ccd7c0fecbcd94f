"""Measures the encoder: its towers, the decoding of images, the catalog lane, and query texts."""
