"""Measures searches through an index over the bits of the vectors, against an index over the vectors."""
