"""Reads files, lines, tables and cells for all formats."""
