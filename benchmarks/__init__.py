"""Measurements, each as a ratio to a named baseline of the same run; figures are kept in `results/`."""
