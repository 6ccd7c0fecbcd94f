"""Contains the two lanes of an encoder: the catalog lane encodes products, and the query lane encodes queries."""
