"""Photos to vectors: the embedders, the loop over the photos, and the cache."""
