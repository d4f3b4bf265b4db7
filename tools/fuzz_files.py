"""Read random files that are whole but say odd things, for a while, from a new seed.

``python tools/fuzz_files.py litert --seconds 120`` makes files of ``tests/fuzz/random_litert.py``. Each must be
read, or refused with an error of cnnfast, within the limits of ``tests/fuzz/limits.py``. The seed of what went wrong
is printed; with ``--seed N --files 1`` that file is tried alone.
"""

from __future__ import annotations

import argparse
import importlib
import secrets
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from fuzz.foreign import foreign
from fuzz.limits import limited

from cnnfast.errors import CnnfastError
from cnnfast.formats import FORMATS

KINDS = sorted(path.stem.removeprefix("random_") for path in Path(sys.path[0]).glob("fuzz/random_*.py"))


def main() -> int:
    """Search; the status is 1 if something was found."""
    parser = argparse.ArgumentParser(description="Read random files that are whole but say odd things.")
    parser.add_argument("format", choices=KINDS)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--files", type=int, default=sys.maxsize, help="end after so many")
    parser.add_argument("--seed", type=int, help="of the first file; by default a new one")
    args = parser.parse_args()
    first = secrets.randbelow(1 << 40) if args.seed is None else args.seed
    print(f"{args.format}: the first seed is {first}", flush=True)
    random_file = importlib.import_module(f"fuzz.random_{args.format}").random_file
    end, tried, read, found = time.monotonic() + args.seconds, 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        while tried < args.files and time.monotonic() < end:
            seed = first + tried
            tried += 1
            path.write_bytes(random_file(np.random.default_rng(seed)))
            wrong = outcome(args.format, path)
            read += wrong is None
            if wrong:
                found += 1
                print(f"seed {seed}: {wrong}", flush=True)
    print(f"{tried} files, {read} of them read, {found} found")
    return int(found > 0)


def outcome(format_name: str, path: Path) -> str | None:
    """Return None for a file that is read, "" for one that is refused, else what is wrong."""
    try:
        with limited():
            FORMATS[format_name].read(path)
    except CnnfastError as error:
        return foreign(error) or ("" if str(path) in str(error) else f"the error names no file: {error}")
    # what the search is for
    except Exception as error:
        return foreign(error)
    return None


if __name__ == "__main__":
    sys.exit(main())
