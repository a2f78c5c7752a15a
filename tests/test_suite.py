"""What the tests promise of themselves: they find the same whoever starts them, and with the next version of a package."""

from __future__ import annotations

import re
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


def test_test_files_are_short_and_helpers_have_their_folder() -> None:
    tests = ROOT / "tests"
    for path in sorted(tests.glob("*.py")):
        assert path.name.startswith("test_") or path.name in {"__init__.py", "conftest.py"}, (
            f"{path.name} belongs in tests/helpers"
        )
        lines = len(path.read_text("utf-8").splitlines())
        assert lines <= 500, f"{path.name} has {lines} lines: split it by subject"


def test_a_test_file_imports_no_other_one() -> None:
    """What two share is a helper; the table of the design's arrows alone is read where it stands."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        found = set(re.findall(r"^\s*from tests\.(test_\w+) import", path.read_text("utf-8"), re.MULTILINE))
        assert found <= {"test_design"}, path.name


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
