"""Measures searches in one product type with and without label indexes."""
