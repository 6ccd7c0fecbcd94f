"""Benchmarks of the encoder: towers, decoding, the catalog lane, and query texts."""
