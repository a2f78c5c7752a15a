"""What the photos on disk are: which files count, how they are named, what their first bytes say."""
