"""The loader: writes the rows of catalog files to the database, and lists those it rejects. It imports `db` only."""
