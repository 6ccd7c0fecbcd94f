"""Turns records of a file or of a request into products as text (`RawProduct`)."""
