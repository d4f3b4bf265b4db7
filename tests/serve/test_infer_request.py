"""What a client states again and again is read once, and yet each request is what it says itself."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from cnnfast import Network
from cnnfast.serve.exchange import RequestError
from cnnfast.serve.infer_request import REMEMBERED, SHORT, RequestReader

RNG = np.random.default_rng(19)


@pytest.fixture
def reader(net: Network) -> RequestReader:
    return RequestReader(net, judges=True)


def stated(images: int, **more: Any) -> bytes:
    size = {"binary_data_size": images * 3072}
    tensor = {"name": "pixels", "datatype": "UINT8", "shape": [images, 32, 32, 3], "parameters": size}
    return json.dumps({"inputs": [tensor], **more}).encode()


def pixels(images: int) -> np.ndarray:
    return RNG.integers(0, 256, (images, 32, 32, 3)).astype(np.uint8)


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_the_same_json_in_front_of_other_pixels(reader: RequestReader, kind: type) -> None:
    text = stated(2, id="a")
    for images in (pixels(2), pixels(2)):
        request = reader.read(kind(text + images.tobytes()), len(text))
        assert request.images is not None
        assert np.array_equal(request.images, images)
        assert (request.id, request.pictures, len(request.outputs)) == ("a", None, 3)
    assert reader._remembered.cache_info().hits == 1


def test_the_same_json_in_front_of_too_little_is_refused_each_time(reader: RequestReader) -> None:
    text, images = stated(2), pixels(2).tobytes()
    reader.read(text + images, len(text))
    for _ in range(2):
        with pytest.raises(RequestError, match="binary_data_size must be that of the data behind the JSON, 6143 bytes"):
            reader.read(text + images[:-1], len(text))


def test_ids_of_strangers_fill_no_memory(reader: RequestReader) -> None:
    images = pixels(1).tobytes()
    for number in range(3 * REMEMBERED):
        text = stated(1, id=f"id {number}")
        assert reader.read(text + images, len(text)).id == f"id {number}"
    kept = reader._remembered.cache_info()
    assert (kept.currsize, kept.maxsize) == (REMEMBERED, REMEMBERED)
    text = stated(1, id="x" * SHORT)
    assert reader.read(text + images, len(text)).id == "x" * SHORT
    assert reader._remembered.cache_info() == kept


def test_models_do_not_share_what_they_remember(reader: RequestReader) -> None:
    text, images = stated(1), pixels(1).tobytes()
    reader.read(text + images, len(text))
    other = RequestReader(Network.load("mnist-mlp"), judges=False)
    with pytest.raises(RequestError, match=r"the shape of pixels must be \[-1, 28, 28, 1\]"):
        other.read(text + images, len(text))
