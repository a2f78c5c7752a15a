"""What a report writes: the table of writers, albums, thumbnails, and what it leaves for the next report."""

from report.files.given_names import NAMES, write_names
from report.files.markdown import MARKDOWN, write_markdown
from report.files.page import PAGE, write_page
from report.files.table import CSV, PARQUET, write_csv, write_parquet

WRITERS = {
    PAGE: write_page,
    CSV: write_csv,
    MARKDOWN: write_markdown,
    PARQUET: write_parquet,
    NAMES: write_names,
}
"""What every report writes: the name of the file, and what writes a report into a folder under that name.

Each replaces its file whole or not at all, writes the same bytes for the same report, and raises StopRunError if it
cannot write or a package is missing."""
