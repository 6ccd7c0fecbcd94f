"""Shows a product with its variants and similar products, and leaves out the products that rules of the shop hide."""
