"""The first command of the README: captions the example photos with the mock and makes a report of them, in ./demo."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
DEMO = Path("demo")


def step(script: str, *flags: str) -> None:
    path = os.path.relpath(HERE.parent / script)
    print(f"\n> python {path} {' '.join(flags)}", flush=True)
    if code := subprocess.run([sys.executable, path, *flags], check=False).returncode:
        sys.exit(code)


if __name__ == "__main__":
    DEMO.mkdir(exist_ok=True)
    library = [
        "--photos-dir",
        os.path.relpath(HERE / "photos"),
        "--captions-jsonl",
        str(DEMO / "captions.jsonl"),
    ]
    step("caption.py", "run", "--backend", "mock", *library)
    step("cluster_report.py", "--embedder", "pixels", *library, "--out-dir", str(DEMO))
    print(f"\nOpen {(DEMO / 'cluster_report.html').resolve()}")
