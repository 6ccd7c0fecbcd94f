"""Runs a replica of the test run's server, a TCP proxy that can fail, and nginx."""
