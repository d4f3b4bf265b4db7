"""From the paths of photographs to labels, as people do it today, and with cnnfast.

A way is prepared for some photographs of one size and a number of threads. Then it is called, and returns the number of
the label of each. Those that reduce while they decode do so by the rule of cnnfast, so that all do the same work.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from cnnfast import Network
from cnnfast.images.pictures.reduced import MARGIN, scale_of
from photographs.network import BATCH, NAME, OnnxRuntime, Shipped

SIZE = (32, 32)
ENOUGH = (SIZE[0] * MARGIN, SIZE[1] * MARGIN)

FULL, REDUCED = "full", "reduced"

Run = Callable[[], np.ndarray]
Read = Callable[[str], np.ndarray]


@dataclass(frozen=True)
class PhotoWay:
    """One way.

    Attributes
    ----------
    name : str
    decodes : str
        `FULL` or `REDUCED`.
    packages : tuple of str
        Whose versions matter.
    prepare : callable (paths, threads) -> Run
    """

    name: str
    decodes: str
    packages: tuple[str, ...]
    prepare: Callable[[Sequence[Path], int], Run]


def _cnnfast(decode: str) -> Callable[[Sequence[Path], int], Run]:
    def prepare(paths: Sequence[Path], threads: int) -> Run:
        net = Network.load(NAME)
        assert net.preprocess is not None
        net = Network.load(NAME, preprocess=replace(net.preprocess, decode=decode))
        number = {label: index for index, label in enumerate(net.classes_.tolist())}
        return lambda: np.array([number[result.label] for result in net.stream(paths, threads=threads)])

    return prepare


def _pooled(reader: Callable[[int], Read]) -> Callable[[Sequence[Path], int], Run]:
    """Return a way that reads with a pool of threads, and computes batches in between with ONNX Runtime."""

    def prepare(paths: Sequence[Path], threads: int) -> Run:
        names, network = list(map(str, paths)), OnnxRuntime(threads)
        read = reader(_scale(names[0]))
        pool = ThreadPoolExecutor(threads)

        def run() -> np.ndarray:
            pixels = pool.map(read, names)
            batches = iter(lambda: list(itertools.islice(pixels, BATCH)), [])
            return np.concatenate([network(np.stack(batch)) for batch in batches])

        return run

    return prepare


def _scale(name: str) -> int:
    """Return what the photographs are reduced by: all have one size, as those of one camera."""
    with Image.open(name) as image:
        return scale_of(image.size, replace(Shipped().preprocess, decode=REDUCED))


def _pillow(decode: str) -> Callable[[int], Read]:
    """Return what torchvision's ``Resize`` does with pictures of Pillow; ``draft`` reduces."""

    def read(name: str) -> np.ndarray:
        with Image.open(name) as image:
            if decode == REDUCED:
                image.draft("RGB", ENOUGH)
            return np.asarray(image.convert("RGB").resize(SIZE, Image.Resampling.BILINEAR))

    return lambda scale: read


def _opencv(decode: str) -> Callable[[int], Read]:
    def reader(scale: int) -> Read:
        import cv2

        cv2.setNumThreads(1)  # the pool has the threads
        flags = {1: cv2.IMREAD_COLOR, **{n: getattr(cv2, f"IMREAD_REDUCED_COLOR_{n}") for n in (2, 4, 8)}}
        flag = flags[scale if decode == REDUCED else 1]
        return lambda name: cv2.resize(cv2.imread(name, flag), SIZE, interpolation=cv2.INTER_AREA)[..., ::-1]

    return reader


def _simplejpeg(decode: str) -> Callable[[int], Read]:
    def reader(scale: int) -> Read:
        import cv2
        import simplejpeg

        cv2.setNumThreads(1)
        least = {"min_width": ENOUGH[0], "min_height": ENOUGH[1]} if decode == REDUCED else {}

        def read(name: str) -> np.ndarray:
            pixels = simplejpeg.decode_jpeg(Path(name).read_bytes(), "RGB", fastdct=False, fastupsample=False, **least)
            return cv2.resize(pixels, SIZE, interpolation=cv2.INTER_AREA)

        return read

    return reader


def _turbojpeg(decode: str) -> Callable[[int], Read]:
    def reader(scale: int) -> Read:
        import cv2
        from turbojpeg import TJPF_RGB, TurboJPEG

        cv2.setNumThreads(1)
        jpeg, factor = TurboJPEG(), (1, scale) if decode == REDUCED else None

        def read(name: str) -> np.ndarray:
            pixels = jpeg.decode(Path(name).read_bytes(), pixel_format=TJPF_RGB, scaling_factor=factor)
            return cv2.resize(pixels, SIZE, interpolation=cv2.INTER_AREA)

        return read

    return reader


def _data_loader(paths: Sequence[Path], threads: int) -> Run:
    """Prepare a DataLoader of PyTorch with as many worker processes; they are there before the clock starts."""
    import torch
    from torch.utils.data import DataLoader

    network = OnnxRuntime(1)
    torch.set_num_threads(1)
    pictures = PictureList(list(map(str, paths)))
    loader = DataLoader(
        pictures,  # type: ignore[arg-type]
        BATCH,
        num_workers=threads,
        persistent_workers=True,
        multiprocessing_context="fork",
    )
    return lambda: np.concatenate([network(batch.numpy()) for batch in loader])


class PictureList:
    """A map-style data set of PyTorch."""

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> np.ndarray:
        return _pillow(FULL)(1)(self._names[index]).copy()


WAYS = (
    PhotoWay("cnnfast", REDUCED, ("cnnfast", "pillow"), _cnnfast(REDUCED)),
    PhotoWay("cnnfast, decode=full", FULL, ("cnnfast", "pillow"), _cnnfast(FULL)),
    PhotoWay("Pillow, threads", FULL, ("pillow", "onnxruntime"), _pooled(_pillow(FULL))),
    PhotoWay("Pillow, DataLoader", FULL, ("pillow", "torch", "onnxruntime"), _data_loader),
    PhotoWay("OpenCV", FULL, ("opencv-python-headless", "onnxruntime"), _pooled(_opencv(FULL))),
    PhotoWay("simplejpeg", FULL, ("simplejpeg", "onnxruntime"), _pooled(_simplejpeg(FULL))),
    PhotoWay("PyTurboJPEG", FULL, ("PyTurboJPEG", "onnxruntime"), _pooled(_turbojpeg(FULL))),
    PhotoWay("Pillow, draft", REDUCED, ("pillow", "onnxruntime"), _pooled(_pillow(REDUCED))),
    PhotoWay("OpenCV, reduced", REDUCED, ("opencv-python-headless", "onnxruntime"), _pooled(_opencv(REDUCED))),
    PhotoWay("simplejpeg, reduced", REDUCED, ("simplejpeg", "onnxruntime"), _pooled(_simplejpeg(REDUCED))),
    PhotoWay("PyTurboJPEG, scaled", REDUCED, ("PyTurboJPEG", "onnxruntime"), _pooled(_turbojpeg(REDUCED))),
)
"""All ways; cnnfast's own come first, and the first of them counts."""
