"""Contains the encoder process, which turns the texts and images of queries and products into vectors, and the starter
model."""
