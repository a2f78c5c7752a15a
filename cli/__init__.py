"""What the two doors share: exit codes, signals, log and progress."""

VERSION = "0.2.0"
"""That of pyproject.toml; here as well, because a checkout that was never installed has no other that it could ask."""
