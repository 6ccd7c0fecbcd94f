"""What encoders do: work items of the catalog, and requests to encode a query."""
