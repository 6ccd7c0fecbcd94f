"""The loader writes the rows of catalog files to the database, and lists the rows it rejects. It imports `db` only."""
