"""What both command lines share: one run or report from its flags to its exit code, log, progress and signals."""

import os
import signal
import sys

VERSION = "0.2.0"
"""The same as in pyproject.toml: a checkout that is not installed has no other place to look."""

PROGRAMS = {"caption.py", "cluster_report.py", "picture-captioner", "cluster-report"}
"""The programs by the names that start them: in a checkout, and installed."""

# First of all, and only where this is the program: a Ctrl-C during the imports ends it without a traceback.
if (
    os.path.basename(sys.argv[0]) in PROGRAMS
    and signal.getsignal(signal.SIGINT) is signal.default_int_handler
):
    signal.signal(signal.SIGINT, signal.SIG_DFL)
