"""This package makes networks and servers fail, and starts standbys."""
