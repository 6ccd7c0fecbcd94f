"""Runs a temporary site for the benchmarks, reads their goals, and keeps their figures."""
