"""Contains the web service: the REST API and the search page."""
