"""Read random files that are complete but have odd content, and run random graphs, for a while, from a new seed.

    python tools/fuzz_files.py                              everything, two minutes in all
    python tools/fuzz_files.py onnx litert --seconds 600
    python tools/fuzz_files.py onnx --seed 123456 --files 1   what was found, again

A kind is a file ``tests/fuzz/random_<format>.py`` or ``random_<format>_<part>.py``. What its ``random_file(rng)``
writes, and its ``place(folder, content)`` puts where it belongs, must be read, or refused with an error of cnnfast that
names the file and has no foreign cause, in `SECONDS` of processor time and with `MEMORY` beyond the file's size. The
kind ``graphs`` runs graphs of ``tests/random_graphs.py`` on every engine, against the reference and each other.
Each kind has its own process, which may hang or crash: that is found too.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from fuzz.foreign import foreign
from fuzz.limits import limited
from fuzz.watched import watched

from cnnfast.errors import CnnfastError
from cnnfast.formats import FORMATS

GRAPHS = "graphs"
KINDS = [GRAPHS, *sorted(path.stem.removeprefix("random_") for path in Path(sys.path[0]).glob("fuzz/random_*.py"))]

SHARES = {GRAPHS: 5}
"""A graph takes much longer than a file, so its kind gets the time of five others, and begins first."""

SECONDS = 1.0
MEMORY = 200 << 20

PATIENCE = 60.0
"""Seconds without a word after which a process counts as hanging; the bound of processor time is checked in it."""

SHOWN = 3
"""Findings that are printed of each sort; all are counted."""

READ, REFUSED, FOUND = "read", "refused", "found"

Attempt = Callable[[int], str]
"""Tries one seed: "read", "refused", or what is wrong."""


def main() -> int:
    """Search; the status is 1 if something was found."""
    parser = argparse.ArgumentParser(description="Read random files that are whole but say odd things.")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}; all by default")
    parser.add_argument("--seconds", type=float, default=120, help="for all kinds together (default: %(default)s)")
    parser.add_argument("--files", type=int, default=sys.maxsize, help="end a kind after this many files")
    parser.add_argument("--seed", type=int, help="of the first file; by default a new one")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="kinds that run at a time")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if unknown := set(args.kinds) - set(KINDS):
        parser.error(f"there is no kind {', '.join(sorted(unknown))}; known: {', '.join(KINDS)}")
    if args.inside:
        return work(args.kinds[0], args.seed, args.seconds, args.files)
    kinds = args.kinds or KINDS
    first = secrets.randbelow(1 << 40) if args.seed is None else args.seed
    jobs = min(args.jobs, len(kinds))
    print(f"first seed {first}, {args.seconds:g} s", flush=True)
    with ThreadPoolExecutor(jobs) as pool:
        share = args.seconds * jobs / sum(SHARES.get(kind, 1) for kind in kinds)
        found = list(pool.map(lambda kind: search(kind, first, SHARES.get(kind, 1) * share, args.files), kinds))
    return int(any(found))


def search(kind: str, seed: int, seconds: float, files: int, program: str = __file__) -> int:
    """Run a kind in a separate process, a new one after each that hangs or crashes; return how much was found."""
    end, last, tally = time.monotonic() + seconds, seed + files, Tally(kind)
    while seed < last and (left := end - time.monotonic()) > 0:
        command = [sys.executable, program, kind, "--inside", "--seed", str(seed), "--seconds", str(left)]
        for tried, outcome, took in watched([*command, "--files", str(last - seed)], seed, PATIENCE):
            tally.add(tried, outcome, took)
            seed = tried + 1
        if not tally.counts[READ] + tally.counts[REFUSED]:
            break  # it does not even start
    print(tally, flush=True)
    return tally.counts[FOUND]


class Tally:
    """Counts what came out, and prints the first findings of each sort."""

    def __init__(self, kind: str) -> None:
        self.kind, self.counts, self.alike, self.slowest = kind, Counter[str](), Counter[str](), 0.0

    def add(self, seed: int, outcome: str, took: float) -> None:
        """Count one seed."""
        self.slowest = max(self.slowest, took)
        self.counts[outcome if outcome in (READ, REFUSED) else FOUND] += 1
        if outcome not in (READ, REFUSED):
            sort = re.sub(r"\d+|'[^']*'", "#", outcome)
            self.alike[sort] += 1
            if self.alike[sort] <= SHOWN:
                print(f"{self.kind}, seed {seed}: {outcome:.600}", flush=True)

    def __str__(self) -> str:
        counted = ", ".join(f"{self.counts[what]:,} {what}" for what in (READ, REFUSED, FOUND))
        return f"{self.kind}: {self.counts.total():,} tried, {counted}; the slowest took {self.slowest:.2f} s"


def work(kind: str, seed: int, seconds: float, files: int) -> int:
    """Try one seed after the other, and say before and after each."""
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        attempt = attempt_graph if kind == GRAPHS else reader_of(kind, Path(folder))
        attempt(0)  # what is imported when it is first used belongs to no file
        for number in range(seed, seed + files):
            if time.monotonic() > end:
                break
            print(f"try {number}", flush=True)
            start = time.process_time()
            outcome = " ".join(attempt(number).split())
            print(f"done {outcome} {time.process_time() - start:.3f}", flush=True)
    return 0


def reader_of(kind: str, folder: Path) -> Attempt:
    """Return what reads the files of a kind."""
    module = importlib.import_module(f"fuzz.random_{kind}")
    read = FORMATS[kind.partition("_")[0]].read
    options = getattr(module, "random_options", lambda rng: {})

    def attempt(seed: int) -> str:
        rng = np.random.default_rng(seed)
        content = module.random_file(rng)
        path = module.place(folder, content) if hasattr(module, "place") else folder / "model"
        if path == folder / "model":
            path.write_bytes(content)
        told = options(rng)
        try:
            with limited(MEMORY + len(content), SECONDS):
                read(path, **told)
        except CnnfastError as error:
            named = REFUSED if str(path) in str(error) else f"the error names no file: {error}"
            return foreign(error) or named
        except Exception as error:  # what the search is for
            return str(foreign(error))
        return READ

    return attempt


def attempt_graph(seed: int) -> str:
    """Run a random graph on every engine; "refused" does not occur."""
    from kernels import test_networks as networks
    from kernels.engines import ENGINES, FUSED, has_kernels
    from random_graphs import random_graph, random_inputs

    rng = np.random.default_rng(seed)
    graph = random_graph(rng, any_rank=True) if rng.random() < 0.8 else networks.wide_block(rng)
    feed = random_inputs(graph, rng, int(rng.integers(1, 4)))
    try:
        for engine in ENGINES:
            if has_kernels(engine, graph):
                networks.assert_close(graph, feed, engine, networks.WINOGRAD_SLACK)
        if FUSED:
            networks.assert_bits_do_not_depend_on_anything(graph, rng)
    except AssertionError as error:
        return f"wrong: {error}"
    except Exception as error:
        return str(foreign(error)) if foreign(error) else f"{type(error).__name__}: {error}"
    return READ


if __name__ == "__main__":
    sys.exit(main())
