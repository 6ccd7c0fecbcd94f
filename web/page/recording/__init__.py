"""Records the searches and clicks of the page as rows of shop.event, if the shop has switched this on."""
