"""cluster_report.py as a process over a product's photos, without a model."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import PATIENCE, ROOT, Product


def report_command(product: Product, *arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "cluster_report.py"), "--photos-dir", str(product.photos),
            "--embedder", "pixels", *arguments]  # fmt: skip


def report(product: Product, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        report_command(product, *arguments),
        cwd=product.folder, env=product.env, capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
