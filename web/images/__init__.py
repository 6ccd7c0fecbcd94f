"""Thumbnails and visitors' uploads, which are kept in bounded memory."""
