"""Trains and evaluates the starter head. Serving does not import this package."""
