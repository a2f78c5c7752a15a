"""
Measures how many photos keep their group when a hundred arrive: grouped with the earlier report, and all anew.

The vectors with known groups of `clustering.py`; beside it the agreement with the truth, for staying must not cost it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from clustering import library
from sklearn.metrics import adjusted_mutual_info_score as ami

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from report.groups.clustering import cluster  # noqa: E402 - the root is found above
from report.naming.inheritance import Previous, inherit  # noqa: E402
from report.naming.naming import Label  # noqa: E402

if TYPE_CHECKING:
    from clustering import Floats
    from numpy.typing import NDArray

ARRIVE = 100


def ids(vectors: Floats, names: list[str], previous: Previous, *, stay: bool) -> NDArray[np.int64]:
    """Return every row's id in a report, -1 for none, as the product makes it: groups, then who inherits which id."""
    found = cluster(
        vectors,
        earlier=previous.of(names) if stay else None,
        say=lambda line: print(line, file=sys.stderr),
    )
    labels = {name: Label(name, "caption") for name in names}
    given = inherit(previous, names, found.labels.tolist(), labels).ids
    return np.array([given.get(label, -1) for label in found.labels.tolist()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[5_000, 20_000, 44_583])
    parser.add_argument("--quick", action="store_true", help="few vectors")
    options = parser.parse_args()
    for rows in [1_000] if options.quick else options.rows:
        vectors, truth = library(rows)
        names = [f"{row:06}.jpg" for row in range(rows)]
        found = cluster(vectors[:-ARRIVE], say=lambda line: print(line, file=sys.stderr))
        before = found.labels
        previous = Previous(
            {name: label for name, label in zip(names, before.tolist(), strict=False) if label >= 0},
            {label: f"heading {label}" for label in set(before.tolist()) - {-1}},
            frozenset(names[:-ARRIVE]),
            dict(zip(names, found.distances.tolist(), strict=False)),
        )
        print(f"{rows:,} vectors, of which {ARRIVE} arrive; AMI before {ami(truth[:-ARRIVE], before):.3f}")
        for way, stay in (("all anew", False), ("the product", True)):
            after = ids(vectors, names, previous, stay=stay)
            inside = before >= 0
            print(
                f"{way:<12} keep their group, of all {(after[:-ARRIVE] == before).mean():6.1%}, of those in one "
                f"{(after[:-ARRIVE] == before)[inside].mean():6.1%}; AMI {ami(truth, after):.3f}; of those that "
                f"arrived in a group {(after[-ARRIVE:] >= 0).mean():.0%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
