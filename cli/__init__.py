"""What both command lines share: one run or report from its flags to its exit code, log, progress and signals."""

VERSION = "0.2.0"
"""The same as in pyproject.toml: a checkout that is not installed has no other place to look."""
