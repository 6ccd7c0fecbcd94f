"""Runs a replica of the test run's server, nginx, a TCP proxy that can fail, and clients of the MCP tools. Also mounts
a small disk."""
