"""Loads and runs models: the starter, CLIP, SigLIP, other models that sentence-transformers supports, and OpenCLIP
checkpoints."""
