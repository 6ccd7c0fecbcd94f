"""The encoder: the one process that runs a model. It answers queries first and works through the catalog meanwhile."""
