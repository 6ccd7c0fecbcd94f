"""Products and postings whose matches are known."""
