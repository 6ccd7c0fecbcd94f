"""Keeps thumbnails and visitors' images in memory of bounded size."""
