"""Contains the search page, whose HTML works without JavaScript."""
