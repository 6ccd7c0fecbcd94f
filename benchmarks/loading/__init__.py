"""Benchmarks of loading catalogs and writing vectors."""
