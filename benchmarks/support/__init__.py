"""Provides the benchmarks with a throw-away site and with files that keep the figures."""
