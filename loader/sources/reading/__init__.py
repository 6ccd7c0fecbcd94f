"""What the formats share: files, lines, tables, cells."""
