"""Decoding in child processes: a photo that aborts, hangs or floods its decoder takes no run with it."""
