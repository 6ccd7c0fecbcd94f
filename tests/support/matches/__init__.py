"""This package creates products and postings whose matches are known."""
