"""Shared by the benchmarks: a throw-away site, and the files that keep the figures."""
