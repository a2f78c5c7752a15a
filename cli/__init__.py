"""What the two doors share: exit codes, signals, log and progress."""

import os
import signal
import sys

VERSION = "0.2.0"
"""That of pyproject.toml; here as well, because a checkout that was never installed has no other that it could ask."""

PROGRAMS = {"caption.py", "cluster_report.py", "picture-captioner", "cluster-report"}
"""The doors by the names they are started by: in a checkout, and installed."""

# First of all, and only where this is the program: a Ctrl-C during the imports ends it without a traceback.
if (
    os.path.basename(sys.argv[0]) in PROGRAMS
    and signal.getsignal(signal.SIGINT) is signal.default_int_handler
):
    signal.signal(signal.SIGINT, signal.SIG_DFL)
