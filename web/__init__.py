"""REST and the search page. Nothing is served yet; the package holds its place in the layering."""
