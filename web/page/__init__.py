"""The search page: HTML that works without JavaScript."""
