"""Decoding in child processes, so that a photo that crashes or hangs its decoder does not end the run."""
