"""What several benchmarks share: a throw-away site, and how figures are kept."""
