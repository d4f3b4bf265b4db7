"""Where a file has the channels of its images, as far as the user specifies it."""

from __future__ import annotations

from cnnfast.errors import ConfigError

LAYOUTS = ("nchw", "nhwc")


def check_layout(layout: str | None) -> None:
    """Raise `ConfigError` unless it is one of `LAYOUTS` or None.

    Examples
    --------
    >>> check_layout("nhwc")
    >>> check_layout("hwc")
    Traceback (most recent call last):
    cnnfast.errors.ConfigError: input_layout must be one of 'nchw', 'nhwc', but is 'hwc'
    """
    if layout is not None and layout not in LAYOUTS:
        raise ConfigError(f"input_layout must be one of {', '.join(map(repr, LAYOUTS))}, but is {layout!r:.40}")
