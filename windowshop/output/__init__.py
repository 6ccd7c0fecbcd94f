"""What commands print: tables, progress, figures."""
