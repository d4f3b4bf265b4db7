"""Pictures that Pillow has opened already."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from PIL import Image

from cnnfast.images.pictures.loaded import is_pillow_image


def test_nothing_is_a_picture_of_pillow_while_that_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = Image.new("RGB", (2, 2))
    assert is_pillow_image(picture)
    # as another thread sees a module whose first line is being run
    monkeypatch.setitem(sys.modules, "PIL.Image", ModuleType("PIL.Image"))
    assert not is_pillow_image(b"bytes")
    monkeypatch.delitem(sys.modules, "PIL.Image")
    assert not is_pillow_image(b"bytes")
