"""Measures searches of roles under row policies, against the same searches with a filter."""
