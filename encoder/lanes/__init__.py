"""The two lanes of an encoder: the catalog lane and the query lane."""
