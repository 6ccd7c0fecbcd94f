"""The encoder is the only process that runs a model. Queries come first; the catalog is encoded between queries."""
