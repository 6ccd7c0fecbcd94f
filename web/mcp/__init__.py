"""Offers the searches of REST to assistants, by the Model Context Protocol (docs/mcp.md)."""
