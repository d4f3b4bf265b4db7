"""Pictures that Pillow has opened already."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from fresh_python import output_of
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


FORK_WHILE_LOADING = """
import os, signal, threading
from PIL import Image, ImageFile
from cnnfast import Preprocess
from cnnfast.images.pictures import loaded, pillow
ImageFile.LOAD_TRUNCATED_IMAGES = True
held, ended = threading.Event(), threading.Event()
def hold():
    with pillow.our_own_rules(1), loaded._loading, pillow._lock:
        held.set()
        ended.wait()
other = threading.Thread(target=hold)
other.start()
held.wait()
child = os.fork()
if child == 0:
    signal.alarm(60)
    pixels = loaded.fit_pillow_image(Image.new("RGB", (4, 4), (1, 2, 3)), Preprocess(size=(2, 2)))
    os._exit(int(pixels[0, 0, 2]) + ImageFile.LOAD_TRUNCATED_IMAGES)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), ImageFile.LOAD_TRUNCATED_IMAGES)
ended.set()
other.join()
print(ImageFile.LOAD_TRUNCATED_IMAGES)
"""


@pytest.mark.skipif("not hasattr(__import__('os'), 'fork')", reason="this system cannot fork")
def test_a_child_does_not_wait_for_a_picture_that_its_parent_loads() -> None:
    assert output_of(FORK_WHILE_LOADING).split() == ["4", "False", "True"]
