"""Products: their fields, the rules that validate them, and the functions that store them."""
