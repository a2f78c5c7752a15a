"""What turns captions and photos into named groups: vectors, groups, names, files."""
