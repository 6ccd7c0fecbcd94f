"""The loader: catalog files in, rows or named rejects out. It stands on `db` alone."""
