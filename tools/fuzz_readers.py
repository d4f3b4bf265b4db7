"""Search for files that a reader cannot bear, guided by coverage, without end.

``python tools/fuzz_readers.py convnetjs -max_total_time=600 found/`` fuzzes one corpus of ``tests/fuzz``; what follows
its name goes to libFuzzer. Needs atheris; seeds, limits and rules are those of ``tests/fuzz/test_fuzz.py``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

try:
    import atheris
except ImportError:
    sys.exit("tools/fuzz_readers.py needs atheris: pip install atheris")

with atheris.instrument_imports(include=["cnnfast"]):
    from fuzz.corpora import corpora
    from fuzz.limits import try_to_read


def main(arguments: list[str]) -> None:
    """Fuzz one corpus."""
    if not arguments or arguments[0] not in corpora():
        sys.exit(
            f"usage: python tools/fuzz_readers.py CORPUS [ARGUMENT OF LIBFUZZER]...; corpora: {', '.join(corpora())}"
        )
    corpus = corpora()[arguments[0]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start, files = folder / "seeds", folder / "files"
        start.mkdir()
        files.mkdir()
        for number, content in enumerate(corpus.seeds()):
            (start / str(number)).write_bytes(content)
        words = folder / "words"
        quoted = ("".join(f"\\x{byte:02x}" for byte in word) for word in corpus.words)
        words.write_text("".join(f'"{word}"\n' for word in quoted))

        def one(content: bytes) -> None:
            try_to_read(corpus, files, corpus.seal(content))

        # libFuzzer writes what it finds into the first folder, and takes seeds from all others
        own = [a for a in arguments[1:] if not a.startswith("-")] or [str(folder / "found")]
        Path(own[0]).mkdir(exist_ok=True)
        options = [a for a in arguments[1:] if a.startswith("-")]
        atheris.Setup([sys.argv[0], *options, f"-dict={words}", *own, str(start)], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
