"""The encoder is the only process that runs a model. Queries take precedence; the catalog is encoded between them."""
