"""Occlusion maps: which places of a picture a network's answer depends on.

A patch hides one place after the other, and the probability of a class is computed again (Zeiler and Fergus 2014).
Where it falls, the network has seen something that speaks for the class. That works for every network, and only
predicts.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import ConfigError
from cnnfast.images.pictures.decode import read_picture
from cnnfast.images.preprocess import UNSAID, Array, Preprocess
from cnnfast.network.network import Network
from cnnfast.runtime.outputs import file_behind, replacing

if TYPE_CHECKING:
    from PIL import Image

GRID = 7
"""Places on each side."""

SIDE, GAP = 448, 16
"""Of each of the two pictures that are drawn, in pixels."""

FOR, AGAINST = (213, 94, 0), (0, 114, 178)
"""Colors of Okabe and Ito: hiding the place lowers the probability, or raises it."""


@frozen(eq=False)
class Occlusion:
    """How the probability of a class depends on the places of a picture.

    Attributes
    ----------
    label : str
    probability : float
        Of the class, for the whole picture.
    hidden : array (G, G)
        Of the class, where each place is hidden.
    """

    label: str
    probability: float
    hidden: Array

    @property
    def effect(self) -> Array:
        """By how much hiding each place lowers the probability, (G, G)."""
        effect: Array = self.probability - self.hidden
        return effect


def occlusion(net: Network, path: Path, label: int | None = None, grid: int = GRID) -> Occlusion:
    """Hide each place of a picture, and compute the probability of a class again.

    Parameters
    ----------
    net : Network
    path : Path
        A picture.
    label : int, optional
        The number of the class; by default the most probable one.
    grid : int
        Places on each side. A patch is two of them wide, so that neighboring ones overlap.

    Raises
    ------
    ConfigError
        If the network has no preprocessing, or the grid is finer than its pixels.
    PictureError
        If the picture cannot be read.
    """
    if net.preprocess is None:
        raise ConfigError(f"this network {UNSAID}")
    height, width = net.preprocess.size
    if not 2 <= grid <= min(height, width):
        raise ConfigError(f"the grid must have from 2 to {min(height, width)} places on each side, but has {grid}")
    pixels = read_picture(path, net.preprocess)
    scores = net.predict_proba(np.concatenate([pixels[None], patched(pixels, grid)]), layout="nhwc")
    of_class = scores[:, int(scores[0].argmax()) if label is None else label]
    name = str(net.classes_[int(scores[0].argmax()) if label is None else label])
    return Occlusion(name, float(of_class[0]), of_class[1:].reshape(grid, grid))


def patched(pixels: Array, grid: int) -> Array:
    """Return a picture (H, W, C) with each place hidden by its mean color, (G * G, H, W, C).

    Examples
    --------
    >>> hidden = patched(np.arange(64, dtype=np.uint8).reshape(8, 8, 1), 4)
    >>> hidden.shape, hidden[0, :4, :4, 0].tolist()
    ((16, 8, 8, 1), [[32, 32, 32, 3], [32, 32, 32, 11], [32, 32, 32, 19], [24, 25, 26, 27]])
    """
    height, width = pixels.shape[:2]
    rows, columns = _bounds(height, grid), _bounds(width, grid)
    hidden = np.repeat(pixels[None], grid * grid, axis=0)
    mean = np.rint(pixels.mean(axis=(0, 1))).astype(pixels.dtype)
    for number, image in enumerate(hidden):
        (top, bottom), (left, right) = rows[number // grid], columns[number % grid]
        image[top:bottom, left:right] = mean
    return hidden


def _bounds(size: int, grid: int) -> list[tuple[int, int]]:
    """Return where the patch of each place begins and ends: twice as wide as the place, around its middle."""
    step = size / grid
    return [(max(0, round((i - 0.5) * step)), min(size, round((i + 1.5) * step))) for i in range(grid)]


def check_map(path: Path) -> Path:
    """Return the path of a map, if one can be written there.

    Raises
    ------
    ConfigError
        If its name does not end in ``.png``.
    OutputError
        If there is no such folder.
    """
    if path.suffix.lower() != ".png":
        raise ConfigError(f"{path}: a map is a PNG; name a file that ends in .png")
    file_behind(path)
    return path


def write_map(found: Occlusion, picture: Path, rule: Preprocess, path: Path) -> None:
    """Draw a picture, and next to it the same with the places that count, orange where they speak for the class."""
    drawn = draw(found, picture, rule)
    with replacing(check_map(path)) as file:
        drawn.save(file, "PNG")


def draw(found: Occlusion, picture: Path, rule: Preprocess) -> Image.Image:
    """Return the drawing of `write_map`."""
    from PIL import Image

    large = Preprocess(
        size=(SIDE, SIDE),
        resize=rule.resize,
        interpolation="lanczos",
        background=rule.background,
        crop_pct=rule.crop_pct,
    )
    plain = Image.fromarray(read_picture(picture, large))
    effect = found.effect
    strength = effect / max(float(np.abs(effect).max()), 1e-6)
    smooth = np.asarray(
        Image.fromarray(strength.astype(np.float32)).resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float32
    )[..., None]
    colors = np.where(smooth > 0, np.array(FOR, np.float32), np.array(AGAINST, np.float32))
    opacity = np.clip(np.abs(smooth), 0, 1) * 0.75
    gray = np.asarray(plain.convert("L").convert("RGB"), np.float32)
    tinted = Image.fromarray(np.rint(gray * (1 - opacity) + colors * opacity).astype(np.uint8))
    sheet = Image.new("RGB", (2 * SIDE + GAP, SIDE), "white")
    sheet.paste(plain, (0, 0))
    sheet.paste(tinted, (SIDE + GAP, 0))
    return sheet
