"""Training and evaluation of the starter head. Serving needs none of it."""
