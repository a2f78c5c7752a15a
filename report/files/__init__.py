"""What a report writes: table, Markdown, page, albums, thumbnails."""
