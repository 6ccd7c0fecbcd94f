"""Reads the manifests of deploy/kubernetes, and checks them without a cluster."""
