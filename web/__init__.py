"""Contains the web service: the REST API, the search page, the staff page, and tools for assistants (MCP)."""
