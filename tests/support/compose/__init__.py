"""Reads compose.yaml and the Containerfile, checks them, and runs their processes without a container engine."""
