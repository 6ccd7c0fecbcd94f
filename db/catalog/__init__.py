"""Defines the fields of a product, validates products and stores them."""
