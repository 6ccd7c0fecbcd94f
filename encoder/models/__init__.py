"""CLIP, SigLIP and other models that sentence-transformers loads."""
