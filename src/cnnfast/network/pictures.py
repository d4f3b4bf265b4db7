"""`Network.classify`: anything that shows pictures becomes records of plain Python."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import IO, Any

import numpy as np

from cnnfast.errors import InputError, PictureError
from cnnfast.images.arrays import check_layout
from cnnfast.images.pictures.files import iter_pictures
from cnnfast.images.pictures.loaded import is_pillow_image
from cnnfast.images.pictures.skipped import Skipped
from cnnfast.network.inference import NetworkCalls
from cnnfast.network.records import plain, shortest
from cnnfast.network.runner import NO_PREPROCESSING
from cnnfast.ops import Array
from cnnfast.runtime.arguments import has_any, many, quoted

Pictures = Any
"""A path, folder, picture of Pillow, array, bytes or binary file, or an iterable of them."""

KINDS = "a path, a folder, a picture of Pillow, an array, bytes or an open file, or several of them in a list"

CHANNELS = (1, 3, 4)
"""Of a picture: gray; red, green and blue; and with opacity."""


class NetworkPictures(NetworkCalls):
    """The part of `cnnfast.Network` that takes pictures of any kind and size."""

    # what a call gives in Keras and PyTorch
    __call__ = NetworkCalls.forward

    def classify(
        self,
        pictures: str | os.PathLike[str] | bytes | IO[bytes] | Array | Pictures,
        k: int = 1,
        *,
        layout: str | None = None,
        batch: int | None = None,
        threads: int | None = None,
        workers: int | None = None,
    ) -> list[dict[str, Any]]:
        """Say what pictures show: files, folders, pictures of Pillow, arrays or bytes, one or several.

        Parameters
        ----------
        pictures : path, bytes, binary file, PIL.Image.Image or array, or an iterable of them
            A folder is searched at any depth. uint8 arrays are pictures of any size, (h, w), (h, w, c) or (N, h, w, c)
            with red, green and blue, or gray, or with alpha; floats are taken as by `forward`.
        k : int
            How many labels; with more than one, each record has them all in ``top``.
        layout : {"nchw", "nhwc"}, optional
            Of arrays.
        batch, threads, workers
            As for `stream`.

        Returns
        -------
        list of dict
            One per picture, in order, for `json.dumps` as they are: ``item``, its path or number; ``label`` and
            ``score``, its probability; and ``error``, None or why there is no label. Where an image has several
            answers, label and score are nested lists.

        Raises
        ------
        InputError
            If an array does not fit, ``k`` is out of range, or the network has no preprocessing. A picture that cannot
            be read has an error in its record instead.

        Examples
        --------
        >>> from cnnfast import Network
        >>> net = Network.load("mnist-mlp")
        >>> net.classify(["missing.png", np.zeros((40, 30), np.uint8)])
        [{'item': 'missing.png', 'label': None, 'score': None, 'error': 'missing.png: no such file'},
         {'item': 1, 'label': '1', 'score': ..., 'error': None}]
        """
        k = self._checked_k(k)
        check_layout(layout)
        array = _whole_array(pictures)
        if array is not None:
            if self._is_input(array):
                rows = self.predict_proba(array, layout=layout, threads=threads)
                return [self._record(number, row, k) for number, row in enumerate(rows)]
            pictures = self._separate(array, layout)
        if self.preprocess is None:
            raise InputError(NO_PREPROCESSING)
        results = self.stream(_each(pictures), batch=batch, threads=threads, workers=workers)
        return [
            self._record(_name(item, number), probabilities, k, error)
            for number, (item, _, probabilities, error) in enumerate(results)
        ]

    def _is_input(self, array: Array) -> bool:
        """Return whether an array is the input itself: floats, or rows of as many bytes as the network takes."""
        is_rows = len(self.input_shape) < 3 and array.shape[1:] == self.input_shape
        return array.dtype != np.uint8 or is_rows or self.preprocess is None

    def _separate(self, array: Array, layout: str | None) -> Array:
        """Return an array of uint8 as pictures (N, h, w, c)."""
        assert self.preprocess is not None
        if layout == "nchw" and array.ndim in (3, 4):
            array = np.moveaxis(array, -3, -1)
        is_color = self.preprocess.channel_count > 1
        looks_turned = array.ndim in (3, 4) and array.shape[-1] not in CHANNELS and array.shape[-3] in CHANNELS[1:]
        if looks_turned and layout is None and (is_color or array.ndim == 4):
            raise InputError(
                f"images of shape {array.shape} seem to have their channels first; say layout='nchw', or give gray "
                "pictures as (N, h, w, 1)"
            )
        if array.ndim == 2 or (array.ndim == 3 and array.shape[-1] not in CHANNELS):
            array = array[..., None]
        if array.ndim == 3:
            array = array[None]
        if array.ndim != 4 or array.shape[-1] not in CHANNELS or 0 in array.shape[1:]:
            raise InputError(
                f"pictures must be uint8 of shape (h, w), (h, w, c) or (N, h, w, c) with c of 1, 3 or 4, "
                f"but the shape is {array.shape}"
            )
        return array

    def _record(
        self, item: object, probabilities: Array | None, k: int, error: Exception | None = None
    ) -> dict[str, Any]:
        if probabilities is None or np.isnan(probabilities).any():
            reason = str(error) if error else "the network's result is not a number"
            return {"item": item, "label": None, "score": None, "error": reason}
        order = np.argsort(-probabilities, axis=-1, kind="stable")[..., :k]
        labels, scores = self.classes_[order], np.take_along_axis(probabilities, order, axis=-1)
        record = {"item": item, "label": labels[..., 0].tolist(), "score": plain(scores[..., 0]), "error": None}
        if k > 1:
            record["top"] = _ranked(labels, scores)
        return record


def _ranked(labels: Array, scores: Array) -> list[Any]:
    if labels.ndim > 1:
        return [_ranked(*pair) for pair in zip(labels, scores, strict=True)]
    return [{"label": a.item(), "score": shortest(b)} for a, b in zip(labels, scores, strict=True)]


def _whole_array(pictures: object) -> Array | None:
    """Return what is one array of images as such; None of a path, a picture, or a list of them."""
    if isinstance(pictures, str | os.PathLike | bytes | bytearray) or is_pillow_image(pictures):
        return None
    if isinstance(pictures, memoryview):
        return None if pictures.ndim == 1 else np.asarray(pictures)
    if isinstance(pictures, list | tuple):
        return _array_of_items(pictures)
    if not has_any(pictures, "__array__", "__array_interface__", "__dlpack__"):
        return None
    try:
        array = np.asarray(pictures)
    # an array protocol may raise anything
    except Exception as error:
        raise InputError(f"pictures cannot be read as an array: {type(pictures).__name__}: {error}") from error
    return None if array.dtype.kind in "OSU" else array


def _array_of_items(items: list[Any] | tuple[Any, ...]) -> Array | None:
    """Return numbers, or arrays of floats that are alike, as one array."""
    if not items:
        return None
    if isinstance(items[0], int | float | list | tuple):
        try:
            array = np.asarray(items)
        except ValueError as error:
            raise InputError(f"pictures cannot be read as an array: {error}") from error
        return None if array.dtype.kind in "OSU" else array
    alike = {(item.dtype, item.shape) if isinstance(item, np.ndarray) else None for item in items}
    is_float = isinstance(items[0], np.ndarray) and items[0].dtype.kind == "f"
    return np.stack(items) if len(alike) == 1 and is_float else None


def _each(pictures: Any) -> Iterator[object]:
    """Yield single pictures: those of folders one by one, an error for a folder without any."""
    if isinstance(pictures, str | os.PathLike):
        yield from _of_path(pictures)
    elif isinstance(pictures, bytes | bytearray | memoryview) or is_pillow_image(pictures) or has_any(pictures, "read"):
        yield pictures
    else:
        try:
            items = many("pictures", pictures, InputError)
        except InputError:
            raise InputError(f"classify takes {KINDS}, but got {quoted(pictures)}") from None
        for item in items:
            if isinstance(item, str | os.PathLike):
                yield from _of_path(item)
            else:
                yield item


def _of_path(path: str | os.PathLike[str]) -> Iterator[object]:
    if not os.path.isdir(path):
        yield path
        return
    empty, skipped = True, Skipped()
    for found in iter_pictures([path], skipped, unread=True):
        empty = False
        yield found.path
    if empty:
        yield PictureError(os.fspath(path), "; ".join(["is a folder without pictures", *skipped.lines()]))


def _name(item: object, number: int) -> str | int:
    """Return what a record calls a picture: its path, or which one it was."""
    if isinstance(item, PictureError):
        return item.path
    return str(os.fspath(item)) if isinstance(item, str | os.PathLike) else number
