"""A page for review: one HTML file that holds its pictures and needs no server and no network."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from cnnfast.errors import ConfigError, PictureError
from cnnfast.images.looks import groups
from cnnfast.review.card import Card
from cnnfast.review.thumbs import thumbnails
from cnnfast.runtime.escapes import as_text
from cnnfast.runtime.outputs import file_behind, replacing

HELP = (
    "a key for each class; Enter or space confirms; with Shift the decision is for all near duplicates; arrows move; "
    "u undoes; v or a click enlarges; / names another class; s saves labels.csv"
)

BODY = f"""
<header>
<h1></h1><span id="left"></span><span class="space"></span>
<label>order <select id="order"><option value="given">as listed</option>
<option value="class">by class</option></select></label>
<label>show <select id="only"><option value="all">all</option><option value="left">undecided</option>
<option value="changed">corrected</option></select></label>
<input id="who" placeholder="who decides" size="12" aria-label="who decides">
<button id="undo"><kbd>u</kbd>undo</button>
<button id="save"><kbd>s</kbd>save labels.csv</button>
<div class="keys"><span id="classes"></span>
<input id="other" placeholder="/ another class" size="14" aria-label="another class"></div>
<span id="help">{escape(HELP)}</span>
</header>
<main></main>
<dialog id="large"><img id="picture" alt=""><p id="name"></p></dialog>
"""


def check_page(path: Path) -> Path:
    """Return the path of a page, if one can be written there.

    Raises
    ------
    ConfigError
        If its name does not end in ``.html``.
    OutputError
        If there is no such folder.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"{path}: a page for review is HTML; name a file that ends in .html")
    file_behind(path)
    return path


def write_page(path: Path, cards: Sequence[Card], classes: Sequence[str], title: str) -> list[PictureError]:
    """Write a page on which people say what pictures show, and return which pictures cannot be read.

    Near duplicates follow their first one.

    Parameters
    ----------
    path : Path
        Ends in ``.html``.
    cards : sequence of Card
        In the order in which they are to be looked at.
    classes : sequence of str
        Each gets a key; others may be named on the page.
    title : str

    Examples
    --------
    >>> import tempfile
    >>> page = Path(tempfile.mkdtemp()) / "review.html"
    >>> [error.reason for error in write_page(page, [Card(Path("missing.png"), "cat", 0.4)], ["cat", "dog"], "Pets")]
    ['no such file']
    >>> page.read_bytes()[:15]
    b'<!DOCTYPE html>'
    """
    check_page(path)
    made = list(thumbnails([card.path for card in cards]))
    group = groups(np.stack([one.look for one in made])) if made else np.zeros(0, np.int64)
    sizes = np.bincount(group, minlength=len(cards))
    folder = Path(os.path.realpath(path)).parent
    # what is unlike others stays where it is, because its group begins with itself
    entries = [
        {
            "path": as_text(str(cards[i].path)),
            "label": cards[i].label,
            "probability": cards[i].probability,
            "rival": cards[i].rival,
            "group": int(group[i]),
            "size": int(sizes[group[i]]),
            "thumbnail": made[i].address,
            "source": source_of(cards[i].path, folder),
        }
        for i in np.argsort(group, kind="stable").tolist()
    ]
    known = list(dict.fromkeys([*classes, *(card.label for card in cards if card.label is not None)]))
    data = {"title": title, "classes": known, "cards": entries}
    data["id"] = f"cnnfast-{hashlib.sha256(json.dumps(data).encode()).hexdigest()[:32]}"
    with replacing(path) as file:
        file.write(_html(data).encode())
    return [one.error for one in made if one.error is not None]


def source_of(picture: Path, folder: Path) -> str:
    """Return the address of a picture as a page in a folder names it, so that both can be moved together.

    Examples
    --------
    >>> source_of(Path("/photos/a b#1.jpg"), Path("/photos/review"))
    '../a%20b%231.jpg'
    """
    where = os.path.realpath(picture)
    try:
        return quote(os.fsencode(Path(os.path.relpath(where, folder)).as_posix()))
    except ValueError:  # another drive
        return Path(where).as_uri()


def _html(data: dict[str, Any]) -> str:
    # ASCII alone, so that names that are not text survive; no < can end the script element
    text = json.dumps(data).replace("<", "\\u003c")
    files = resources.files("cnnfast.review")
    style, script = ((files / name).read_text("utf-8") for name in ("page.css", "page.js"))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>cnnfast review</title>\n<style>\n{style}</style>\n{BODY}"
        f'<script type="application/json" id="data">{text}</script>\n<script>\n{script}</script>\n</html>\n'
    )
