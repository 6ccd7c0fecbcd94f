"""Runs a temporary site for the benchmarks, reads the goals of the benchmarks, and keeps the figures."""
