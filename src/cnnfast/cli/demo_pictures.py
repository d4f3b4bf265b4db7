"""Real photographs that come with other packages, and what we know about them.

foolbox (MIT) ships 20 images of CIFAR-10 and 20 of ImageNet with the number of their class in the name; scikit-image
ships the photograph of a cat, and others. Their files are found without importing the packages, which are heavy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from cnnfast._frozen import frozen
from cnnfast.data.cifar10 import CLASSES
from cnnfast.errors import DataError
from cnnfast.runtime.paths import in_order

IMAGENET_GROUPS: tuple[tuple[str, frozenset[int]], ...] = (
    ("airplane", frozenset({404})),
    ("automobile", frozenset({436, 468, 511, 609, 627, 656, 661, 751, 817})),
    ("bird", frozenset({*range(7, 25), *range(80, 101), *range(127, 147)})),
    ("cat", frozenset(range(281, 286))),
    ("dog", frozenset(range(151, 269))),
    ("frog", frozenset(range(30, 33))),
    ("horse", frozenset({339})),
    ("ship", frozenset({403, 510, 554, 625, 628, 724, 780, 814, 871, 914})),
    ("truck", frozenset({555, 569, 717, 864, 867})),
)
"""Which classes of ImageNet (0 to 999) are clearly one of CIFAR-10."""

SCIKIT_IMAGE = {"chelsea.png": "cat", "astronaut.png": None, "coffee.png": None, "rocket.jpg": None}


@frozen
class Known:
    """A picture with what is known about it.

    Attributes
    ----------
    path : Path
    label : str, or None
        Its class of CIFAR-10; None if it shows something else.
    source : str
        Where it is from.
    """

    path: Path
    label: str | None
    source: str


def demo_pictures() -> list[Known]:
    """Return the pictures, the labeled ones first.

    Raises
    ------
    DataError
        If the packages are not installed.
    """
    missing = [name for name, module in (("foolbox", "foolbox"), ("scikit-image", "skimage")) if not _data(module)]
    if missing:
        raise DataError(
            f"the photographs of the demo come with {' and '.join(missing)}, which is not installed; "
            'run: pip install "cnnfast[demo]"'
        )
    return [*_cifar10(), *_scikit_image(), *_imagenet()]


def _data(module: str) -> Path | None:
    """Return the folder of data in a package, without importing it."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "data"
    return folder if folder.is_dir() else None


def _foolbox(name: str) -> Iterator[tuple[Path, int]]:
    folder = _data("foolbox")
    assert folder is not None
    for path in in_order(folder.iterdir()):
        match = re.fullmatch(rf"{name}_\d+_(\d+)\.(png|jpg)", path.name)
        if match:
            yield path, int(match[1])


def _cifar10() -> list[Known]:
    return [Known(path, CLASSES[number], "CIFAR-10") for path, number in _foolbox("cifar10")]


def _imagenet() -> list[Known]:
    return [Known(path, imagenet_label(number), "ImageNet") for path, number in _foolbox("imagenet")]


def _scikit_image() -> list[Known]:
    folder = _data("skimage")
    assert folder is not None
    found = ((folder / name, label) for name, label in SCIKIT_IMAGE.items())
    return [Known(path, label, "scikit-image") for path, label in found if path.is_file()]


def imagenet_label(number: int) -> str | None:
    """Return the class of CIFAR-10 that a class of ImageNet belongs to, if any.

    Examples
    --------
    >>> imagenet_label(281), imagenet_label(985)
    ('cat', None)
    """
    return next((label for label, numbers in IMAGENET_GROUPS if number in numbers), None)
