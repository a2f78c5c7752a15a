"""Making captions in parallel, and keeping the results."""
