"""`shop.search` and its family as typed calls."""
