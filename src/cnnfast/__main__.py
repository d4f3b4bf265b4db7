"""What runs as the command ``cnnfast``, and as ``python -m cnnfast``."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 130
"""The exit status that a shell reports for a program that ends by SIGINT."""


def main() -> int:
    """Import the command line and run it; Ctrl-C ends both without a traceback.

    Until `cnnfast.cli.main` can catch a `KeyboardInterrupt` there is nothing to clean up, and a third-party module may
    take it for an error of its own, so the process ends at once.
    """
    hears = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if hears:  # a job in the background does not
        signal.signal(signal.SIGINT, _end)
    from cnnfast.cli import main as run

    if hears:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    status = run()
    if hears:
        # all is said; an impatient second Ctrl-C only ends what Python does at its exit
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return status


def _end(number: int, frame: FrameType | None) -> None:
    os.write(2, b"cnnfast: interrupted\n")
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
