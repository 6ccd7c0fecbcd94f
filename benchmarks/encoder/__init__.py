"""Measures the encoder: its towers, the decoding of images, the catalog lane, its faults, query texts and watches."""
