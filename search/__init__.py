"""Owns the search for photos: what a query means, the index of the captions, pictures by their vectors, both joined."""
