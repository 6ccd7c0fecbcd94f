"""Contains what makes the page a shop's own: its theme, its languages, and what it tells search engines."""
