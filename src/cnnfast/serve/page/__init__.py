"""The page to drop pictures on: a few files, which are read once."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from cnnfast.serve.exchange import HttpAnswer

PAGE_FILES = {
    "": ("index.html", "text/html; charset=utf-8"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}
"""Files by address, with their types; no other file can be asked for."""

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "referrer-policy": "no-referrer",
}
"""Nothing of another origin is loaded or asked, and no other page may show this one inside of itself."""


@cache
def page_file(address: str) -> HttpAnswer:
    """Return a file of the page."""
    name, kind = PAGE_FILES[address]
    return HttpAnswer(200, files("cnnfast.serve.page").joinpath(name).read_bytes(), {"content-type": kind, **HEADERS})
