"""Addresses, and what answers each of them."""

from __future__ import annotations

import re

from cnnfast._frozen import frozen

_READ, _WRITE = ("GET", "HEAD"), ("POST",)
_MODEL = r"/v2/models/([^/]+)(?:/versions/1)?"


@frozen
class Route:
    """An address as a pattern, and the name of its endpoint; one that is open needs no token."""

    name: str
    pattern: str
    methods: tuple[str, ...] = _READ
    is_open: bool = False


ENDPOINTS = (
    Route("classify", r"/classify", _WRITE),
    Route("infer", rf"{_MODEL}/infer", _WRITE),
    Route("live", r"/v2/health/live", is_open=True),
    Route("ready", r"/v2/health/ready", is_open=True),
    Route("model_ready", rf"{_MODEL}/ready", is_open=True),
    Route("model", _MODEL),
    Route("server", r"/v2/?"),
    Route("metrics", r"/metrics"),
    Route("openapi", r"/openapi\.json"),
    Route("page", r"/(page\.js|page\.css|icon\.svg|)", is_open=True),
)

_EXACT = {route.pattern: (route, ()) for route in ENDPOINTS if re.fullmatch(r"[/\w]+", route.pattern)}
_PATTERNS = [(route, re.compile(route.pattern)) for route in ENDPOINTS]


def find_route(path: str) -> tuple[Route | None, tuple[str, ...]]:
    """Return what answers an address, and the parts of it that vary.

    Examples
    --------
    >>> route, arguments = find_route("/v2/models/cats/versions/1/infer")
    >>> route.name, arguments
    ('infer', ('cats',))
    """
    if path in _EXACT:
        return _EXACT[path]
    for route, pattern in _PATTERNS:
        match = pattern.fullmatch(path)
        if match:
            return route, match.groups()
    return None, ()
