"""The encoder: towers, decoding, the catalog lane, query texts."""
