"""What is sent."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def noise_pixels(count: int, side: int = 32) -> np.ndarray:
    """Return soft noise, (N, side, side, 3): as hard to compress as a photograph, roughly."""
    rng = np.random.default_rng(19)
    coarse = rng.integers(0, 256, (count, side // 4, side // 4, 3)).astype(np.uint8)
    soft = [Image.fromarray(one).resize((side, side), Image.Resampling.BICUBIC) for one in coarse]
    grain = rng.integers(-12, 13, (count, side, side, 3))
    return np.clip(np.stack([np.asarray(one) for one in soft]) + grain, 0, 255).astype(np.uint8)


def noise(count: int) -> list[bytes]:
    """Return PNG files."""
    files = []
    for pixels in noise_pixels(count):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        files.append(file.getvalue())
    return files
