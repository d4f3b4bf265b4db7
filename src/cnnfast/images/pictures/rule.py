"""What a network gets of a decoded picture: upright, in its colors, of its size; see ``docs/pictures.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from cnnfast.images.pictures.tiff import bits_of, white_is_zero
from cnnfast.images.pictures.turn import Box
from cnnfast.images.preprocess import Preprocess

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL import Image

Bytes = np.ndarray[Any, np.dtype[np.uint8]]

STRIP = 1 << 21
"""Pixels that are laid over the background at a time; it takes 12 bytes for each."""


def to_colors(image: Image.Image, preprocess: Preprocess) -> Image.Image:
    """Convert to mode L or RGB, transparent pixels over the background."""
    mode = "L" if preprocess.channels == "gray" else "RGB"
    if image.mode.startswith(("I", "F")):
        image = _deep_to_gray(image)
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        image = _over(image, preprocess.background)
    return image if image.mode == mode else image.convert(mode)


def _over(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """Lay an image over a color, strip by strip, so that a large one is not held several times."""
    from PIL import Image

    rows = max(1, STRIP // image.width)
    opaque = Image.new("RGB", image.size)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height))).convert("RGBA")
        canvas = Image.new("RGBA", strip.size, (*background, 255))
        opaque.paste(Image.alpha_composite(canvas, strip).convert("RGB"), (0, top))
    return opaque


def _deep_to_gray(image: Image.Image) -> Image.Image:
    """Reduce gray of 16 or 32 bits to 8; Pillow's own conversion would clip everything above 255 to white."""
    from PIL import Image

    values = np.asarray(image)
    white = _full_scale(image, values)
    gray = Image.fromarray(_to_bytes(white - values if white_is_zero(image) else values, white))
    key = image.info.get("transparency")
    if isinstance(key, int):
        gray.putalpha(Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)))
    return gray


def _full_scale(image: Image.Image, values: npt.NDArray[Any]) -> int:
    """Return the value that means white: fixed where the format fixes it, else the least that holds all values."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        return 4095 if bits_of(image) == 12 else 65535
    low, high = values.min(), values.max()
    scales = (1, 255, 65535) if image.mode == "F" else (255, 65535)
    for scale in scales:
        if low >= 0 and high <= scale:
            return scale
    raise ValueError(f"values from {low} to {high} have no known scale; known are 0 to {', '.join(map(str, scales))}")


def _to_bytes(values: npt.NDArray[Any], scale: int) -> Bytes:
    """Scale to 0..255; from 16 or 12 bits by the high 8, because that is how Pillow decodes 16-bit color."""
    if scale in (4095, 65535):
        return (values.astype(np.uint16) >> (scale.bit_length() - 8)).astype(np.uint8)
    return np.rint(values * (255 / scale)).astype(np.uint8)


def fit(image: Image.Image, preprocess: Preprocess, box: Box | None = None) -> Bytes:
    """Resize an image of mode L or RGB, or the part of it in a box, and return it as (H, W, C)."""
    from PIL import Image

    filter_ = Image.Resampling[preprocess.interpolation.upper()]
    height, width = preprocess.size
    part = box or (0, 0, *image.size)
    if part == (0, 0, width, height) and image.size == (width, height):
        fitted = image
    elif preprocess.resize == "crop":
        fitted = image.resize((width, height), filter_, box=_center_box(part, (width, height), preprocess.crop_pct))
    elif preprocess.resize == "pad":
        fitted = _pad(image, part, (width, height), filter_, preprocess.background)
    else:
        fitted = image.resize((width, height), filter_, box=part)
    pixels = np.asarray(fitted).reshape(height, width, preprocess.channel_count)
    return np.ascontiguousarray(pixels[..., ::-1] if preprocess.channels == "bgr" else pixels)


def _center_box(part: Box, target: tuple[int, int], kept: float) -> Box:
    """Return the largest centered box of a part with the proportions of ``target`` (W, H), or what is kept of it."""
    whole = part[2] - part[0], part[3] - part[1]
    scale = min(whole[0] / target[0], whole[1] / target[1]) * kept
    width, height = min(target[0] * scale, whole[0]), min(target[1] * scale, whole[1])
    left, top = part[0] + (whole[0] - width) / 2, part[1] + (whole[1] - height) / 2
    return left, top, left + width, top + height


def _pad(
    image: Image.Image,
    part: Box,
    target: tuple[int, int],
    filter_: Image.Resampling,
    background: tuple[int, int, int],
) -> Image.Image:
    from PIL import Image

    whole = part[2] - part[0], part[3] - part[1]
    scale = min(target[0] / whole[0], target[1] / whole[1])
    size = tuple(min(t, max(1, round(s * scale))) for s, t in zip(whole, target, strict=True))
    color = Image.new("RGB", (1, 1), background).convert(image.mode).getpixel((0, 0))
    canvas = Image.new(image.mode, target, cast("int | tuple[int, ...]", color))
    fitted = image.resize((size[0], size[1]), filter_, box=part)
    canvas.paste(fitted, ((target[0] - size[0]) // 2, (target[1] - size[1]) // 2))
    return canvas
