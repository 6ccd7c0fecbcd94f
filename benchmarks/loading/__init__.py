"""Loading catalogs and writing vectors."""
