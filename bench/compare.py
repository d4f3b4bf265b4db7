"""Put two results files of bench_peers.py side by side.

    python bench/compare.py before.json after.json [--engine cnnfast]

Prints images/s of both and their ratio: above 1, the second file is faster.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

Key = tuple[str, int, str, str, int]
"""Network, threads, instruction set, engine, batch."""


def medians(path: Path) -> dict[Key, float]:
    """Return the median images/s of every row of a results file."""
    return {
        (run["network"], run["threads"], run["isa"], row["engine"], row["batch"]): row["median"]
        for run in json.loads(path.read_text(encoding="utf-8"))["runs"]
        for row in run["rows"]
    }


def main() -> None:
    """Print what both files hold."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--engine", help="only this one")
    arguments = parser.parse_args()
    before, after = medians(arguments.before), medians(arguments.after)
    print(f"{'network':8}{'threads':>8}  {'isa':8}{'engine':12}{'batch':>6}{'before':>12}{'after':>12}{'ratio':>8}")
    for key in sorted(before.keys() & after.keys()):
        network, threads, isa, engine, batch = key
        if arguments.engine in (None, engine):
            ratio = after[key] / before[key]
            cells = f"{before[key]:12,.0f}{after[key]:12,.0f}{ratio:8.2f}"
            print(f"{network:8}{threads:>8}  {isa:8}{engine:12}{batch:>6}{cells}")


if __name__ == "__main__":
    main()
