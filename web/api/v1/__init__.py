"""Contains the routes that exist only below /v1, and their bodies."""
