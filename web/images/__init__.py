"""Images that visitors see and send, and the memory that keeps them."""
