"""How the starter head is trained and judged. Nothing here is needed to serve it."""
