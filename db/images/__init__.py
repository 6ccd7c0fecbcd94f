"""Reads and decodes images. Decoding runs in separate processes."""
