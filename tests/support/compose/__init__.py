"""Reads and checks compose.yaml and the Containerfile. Runs their processes without a container engine, or builds the
images and runs containers."""
