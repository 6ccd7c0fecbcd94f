"""This package has the fixtures, servers, catalogs and models that several test files use."""
