"""Fetches the images behind URLs, and guards every request.

The author of a product decides which URLs an encoder requests, so a URL is input from a stranger. A URL may lead only
to public hosts, and to the hosts, networks and object stores that the operator has listed.
"""
