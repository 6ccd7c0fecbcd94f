"""The work of encoders: items of the catalog, and requests to encode a query."""
