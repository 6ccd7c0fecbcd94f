"""Fixtures, servers, catalogs and models that several test files use."""
