"""What runs as the command ``cnnfast``, and as ``python -m cnnfast``."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from types import FrameType

INTERRUPTED = 130
"""The exit status that a shell reports for a program that ends by SIGINT."""


def main() -> int:
    """Import the command line and run it; Ctrl-C ends both without a traceback.

    Until the command has its arguments there is nothing to clean up, and third-party modules may take a
    `KeyboardInterrupt` for an error of their own, as argparse does, so the process ends at once.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        # a job in the background, which does not hear the Ctrl-C of its shell
        from cnnfast.cli import main as run

        return run()
    signal.signal(signal.SIGINT, _end)
    from cnnfast.cli import main as run

    status = run(begin=partial(signal.signal, signal.SIGINT, signal.default_int_handler))
    # all is said; an impatient second Ctrl-C only ends what Python does at its exit
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return status


def _end(number: int, frame: FrameType | None) -> None:
    os.write(2, b"cnnfast: interrupted\n")
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
