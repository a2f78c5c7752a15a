"""What the tests promise of themselves: they find the same whoever starts them, and with the next version of a package."""

from __future__ import annotations

import subprocess
import sys
import time
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.test_design import ARROWS


def test_signals_that_were_ignored_when_the_tests_began_reach_their_processes() -> None:
    """`nohup pytest &` ignores two of them."""
    look = "import signal; print([signal.getsignal(n) is signal.SIG_IGN for n in (1, 2, 3, 15)])"
    begin = f"import subprocess, sys, tests.conftest; subprocess.run([sys.executable, '-c', {look!r}])"
    command = ["bash", "-c", 'trap "" HUP INT QUIT TERM; exec "$0" -c "$1"', sys.executable, begin]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[False, False, False, False]"


def test_a_slow_example_is_no_failure() -> None:
    @settings(max_examples=1, database=None)
    @given(st.just(0.3))
    def sleep(seconds: float) -> None:
        time.sleep(seconds)  # longer than Hypothesis allows by itself

    sleep()


@pytest.mark.parametrize("name", [*ARROWS, "report.groups.layout", "tests"])
def test_a_warning_of_our_own_is_an_error(name: str) -> None:
    with pytest.raises(RuntimeWarning):
        warnings.warn_explicit("divided by zero", RuntimeWarning, "here.py", 1, name)


@pytest.mark.parametrize("kind", [UserWarning, DeprecationWarning, FutureWarning, RuntimeWarning])
@pytest.mark.parametrize("name", ["torch", "report_of_others", "sklearn.utils", "configparser"])
def test_a_warning_of_a_package_is_none(kind: type[Warning], name: str) -> None:
    warnings.warn_explicit("use something else", kind, "there.py", 1, name)


@pytest.mark.parametrize("kind", [DeprecationWarning, PendingDeprecationWarning, FutureWarning])
def test_what_a_package_will_do_one_day_is_no_error_of_today(kind: type[Warning]) -> None:
    warnings.warn_explicit("use something else", kind, "here.py", 1, "report.groups.layout")
