"""How captions are made in parallel, and how what comes of it is kept."""
