"""Shows the image by which a visitor searches, and reads the part of it that is searched."""
