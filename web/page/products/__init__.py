"""Shows a product: its view, its variants, similar products, and which products rules of the shop hide."""
