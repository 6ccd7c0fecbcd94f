"""Contains the pages that the web service shows: to shoppers, to staff, and to readers of its API. Their HTML works
without JavaScript."""
