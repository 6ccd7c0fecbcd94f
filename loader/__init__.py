"""Loads the rows of catalog files into the database, and lists rejected rows. The package imports only `db`."""
