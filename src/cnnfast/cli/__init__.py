"""The command ``cnnfast``: one file per subcommand, each listed once in `COMMANDS`.

A subcommand is a module with ``add_arguments(parser)`` and ``run(args) -> int``, the exit status. To add one, write
``cli/<name>.py`` and list it below.

==============  ==========================================================================
`batch_run`     one pass over many images; `find` and `classify` judge each image
`models`        the network of a command, and its classes
`options`       arguments that several subcommands take
`readers`       what the user states about a model file that does not state it itself
`inputs`        paths of the command line → images, one after the other
`results_file`  the file of ``--out``: written, and read again by ``--resume``
`rows_out`      where rows go: that file, or the standard output
`records`       one row of it, as CSV or JSON
`converted`     rows in a format that is written as a whole: `parquet_rows`, `megadetector`, `camtrap`
`extra_columns` scores, and EXIF's time and the folder
`label_kinds`   which labels are animals, people, vehicles or nothing
`earlier`       what an interrupted run has done, and what is left
`printing`      the lines on stdout
`tables`        files of Parquet and Arrow, which `classify` reads and writes
`export`        pictures copied, linked or moved into folders
`gallery`       the contact sheet of ``--report``
`progress`      the bar, and everything that is printed on stderr
`recipes`       the arguments of `train` that make a recipe
`labeled`       labeled images, with the scores that a network gives them
`featured`      the pictures whose features are needed
`train_setup`   what `train` begins with: a network, and the images to learn from; `train_replay` with `--replay`
==============  ==========================================================================
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from cnnfast import __version__
from cnnfast.cli.parser import Parser
from cnnfast.errors import CnnfastError, ConfigError
from cnnfast.images.pictures.pixels import get_max_pixels, set_max_pixels

COMMANDS = {
    "find": "find the pictures of a class among many",
    "classify": "print what each picture shows",
    "serve": "classify for other programs over HTTP, and on a page to drop pictures on",
    "evaluate": "measure how often a network is right, on labeled images",
    "train": "train a network on labeled images, from scratch or on top of another",
    "learn": "learn from a few labels, in seconds, and print which pictures to label next",
    "review": "write a page on which a person looks at doubtful pictures and corrects them",
    "remember": "put features of the pictures that a network has learned from into its file, for train --replay",
    "calibrate": "make probabilities right as often as they say, with labeled images that were not learned from",
    "events": "judge the pictures of a burst together",
    "explain": "draw which places of a picture a network's answer depends on",
    "similar": "print the pictures that are most like a given one",
    "duplicates": "print which pictures are there twice, byte for byte or nearly",
    "quantize": "make a network of eight-bit integers of one of floats: a quarter of the size, faster on most CPUs",
    "plot": "draw the curves and the confusion matrix of a training run",
    "bench": "measure how fast a network runs here, and where its time goes",
    "summary": "list the layers of a network",
    "convert": "read a model file of any known format and write it as cnnfast's own, or as ONNX",
    "compare": "run two networks, or one and its original engine, side by side, and show where they differ",
    "download": "fetch a data set",
    "demo": "find the cats in a few real photographs",
    "info": "show versions, CPU, instruction set and threads, and who decided them",
}
"""Every subcommand with what it does; the module of that name is imported only when it is used."""

EXAMPLES = """\
examples:
  cnnfast classify photo.jpg --top 3
  cnnfast find cat photos/ --copy-to cats/ --out photos.csv
  cnnfast train photos/ --base cifar10-resnet --freeze --out own.safetensors
  cnnfast evaluate own.safetensors test-photos/

each command explains itself: cnnfast COMMAND --help"""

LESS_AT_A_TIME = "--threads 1 and a smaller --batch need less, where the command has them"

OK, SOME_FAILED, USAGE, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 130, 141
"""Exit statuses; the last two are what a shell reports for programs that end by SIGINT and SIGPIPE."""


def main(argv: Sequence[str] | None = None, begin: Callable[[], object] = lambda: None) -> int:
    """Run the command line and return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; by default those of the process.
    begin : callable
        Called when the command has its arguments, before it does anything.

    Examples
    --------
    >>> main(["--version"])
    cnnfast ...
    0
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    _open_closed_streams()
    _tolerate_any_name()
    try:
        _refuse_empty(argv)
        with _plain_warnings():
            status = _run(argv, begin)
        sys.stdout.flush()
        return status
    except SystemExit as stop:  # argparse has printed the message.
        return stop.code if isinstance(stop.code, int) else USAGE
    except BrokenPipeError:
        # The reader of our output is gone; Python's own flush at exit must not complain about it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except CnnfastError as error:
        return _complain(str(error))
    except OSError as error:
        return _complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except MemoryError as error:
        return _complain(f"there is not enough memory{(error.args and f' ({error})') or ''}; {LESS_AT_A_TIME}")
    except RuntimeError as error:
        # Python has no class of its own for this
        if "start new thread" not in str(error):
            raise
        return _complain(f"the system gives no more threads, by a limit of processes or of memory; {LESS_AT_A_TIME}")
    except KeyboardInterrupt:
        print("cnnfast: interrupted", file=sys.stderr)
        return INTERRUPTED


def _open_closed_streams() -> None:
    """Let what is printed go nowhere where a stream is closed: for Python it is None then."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  # as long as the process


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Let warnings be one line each, without the place in our code."""

    def show(message: Warning | str, *where: Any, **more: Any) -> None:
        print(f"cnnfast: warning: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _run(argv: list[str], begin: Callable[[], object]) -> int:
    parser = Parser(
        "cnnfast",
        description="Classify many small images on a CPU, fast.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"cnnfast {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    chosen = next((word for word in argv if not word.startswith("-")), None)
    parser.check_options(argv if chosen is None else argv[: argv.index(chosen)])
    for name, purpose in COMMANDS.items():
        description = f"{purpose[0].upper()}{purpose[1:]}."
        command = commands.add_parser(name, help=purpose, description=description, allow_abbrev=False)
        if name == chosen:
            module = import_module(f"cnnfast.cli.{name}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
            command.check_options(argv[argv.index(name) + 1 :])
        if name == chosen == argv[0] and "--" not in argv:
            # Options may come between paths, as in other programs; argparse would then lose what follows a `--`.
            args = command.parse_intermixed_args(argv[1:])
            break
    else:
        args = parser.parse_args(argv)
    args.words = argv
    begin()
    before = get_max_pixels()
    try:
        if getattr(args, "max_pixels", None) is not None:
            set_max_pixels(args.max_pixels)
        status: int = args.run(args)
        return status
    finally:
        set_max_pixels(before)


def _refuse_empty(argv: Sequence[str]) -> None:
    """Refuse an empty argument: as a path it would be the current folder, which was not named."""
    for before, word in zip(["cnnfast", *argv], argv, strict=False):
        if not word or (word.startswith("--") and word.endswith("=")):
            raise ConfigError(
                f"the argument {word + repr('')} after {before} is empty; a variable of the shell may be unset. "
                "The current folder is called ."
            )


def _complain(text: str) -> int:
    print(f"cnnfast: error: {text}", file=sys.stderr)
    return USAGE


def _tolerate_any_name() -> None:
    """Let file names that are not valid text through; a run must not end because of one."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            is_utf8 = (stream.encoding or "").lower().replace("-", "") == "utf8"
            stream.reconfigure(errors="surrogateescape" if is_utf8 else "backslashreplace")
