"""Reads and completes the work of encoders: work items of the catalog, and requests to encode a query."""
