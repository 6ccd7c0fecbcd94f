"""Loads and runs CLIP, SigLIP and the other models that sentence-transformers supports."""
