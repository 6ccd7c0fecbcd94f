"""Benchmarks of the web service under load."""
