"""Measures how vectors get into the tables and indexes of a model, and what changes of the catalog cost a search."""
