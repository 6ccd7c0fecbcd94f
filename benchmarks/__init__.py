"""Benchmarks. Each compares with a named baseline of the same run, and keeps its figures in `results/`."""
