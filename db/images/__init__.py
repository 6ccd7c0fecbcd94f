"""Images: formats, limits, and decoding in processes of their own."""
