"""The parser of the command line: as argparse has it, with suggestions for what is misspelled."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from cnnfast.runtime.suggest import did_you_mean, nearest

CHOICE = re.compile(r"^(argument .*): invalid choice: '(.*?)' \(choose from (.*)\)$", re.DOTALL)
USAGE = 2


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, with the word that was probably meant."""

    def check_options(self, words: Sequence[str]) -> None:
        """End with an error if an option is not known; before argparse asks for what else is missing."""
        known = self._option_string_actions
        for word in words:
            if word == "--":
                return
            name = word.partition("=")[0]
            if name.startswith("--") and name not in known:
                self.error(f"there is no option {name}{_option_like(name, known)}")

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, what was probably meant, and how to learn more."""
        if found := CHOICE.match(message):
            argument, word, known = found.groups()
            names = [name.strip(" '") for name in known.split(",")]
            what = "there is no command" if argument == "argument COMMAND" else f"{argument}: there is no"
            hint = did_you_mean(word, names)
            message = f"{what} {word!r}{f'{hint} Known' if hint else '; known'}: {', '.join(names)}"
        print(f"{self.prog}: error: {message}\n{self.prog} --help explains", file=sys.stderr)
        sys.exit(USAGE)


def _option_like(name: str, known: dict[str, argparse.Action]) -> str:
    near = nearest(name, known)
    return f"; did you mean {near}?" if near else ""
