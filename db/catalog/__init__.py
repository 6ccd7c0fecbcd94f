"""Products: their shape, the rules they pass, and how they enter the database."""
