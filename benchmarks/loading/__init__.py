"""Measures how fast catalogs are loaded and vectors are written."""
