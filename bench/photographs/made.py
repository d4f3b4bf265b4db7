"""Photographs that are made: gradients, soft shapes and noise, as JPEGs of the size that cameras write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SIZES = {"0.3": (640, 480), "2": (1632, 1224), "12": (4000, 3000)}
"""Megapixels, width and height."""

COUNTS = {"0.3": 192, "2": 64, "12": 16}

QUALITY = 90
NOISE = 5
SHAPES = 6
COARSE = 4
NOISE_TILE = 521


def make(folder: Path, megapixels: str, count: int) -> list[Path]:
    """Write photographs, unless they are there already, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{megapixels}-{number:03}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        if not path.exists():
            photograph(*SIZES[megapixels], number).save(path, quality=QUALITY)
    return paths


def photograph(width: int, height: int, seed: int) -> Image.Image:
    """Return one photograph; the same arguments give the same pixels."""
    rng = np.random.default_rng(seed)
    scene = _scene(rng, width // COARSE, height // COARSE).resize((width, height), Image.Resampling.BICUBIC)
    tile = rng.standard_normal((NOISE_TILE, NOISE_TILE, 1), np.float32) * NOISE
    noise = np.tile(tile, (-(-height // NOISE_TILE), -(-width // NOISE_TILE), 1))[:height, :width]
    return Image.fromarray(np.clip(np.asarray(scene) + noise, 0, 255).astype(np.uint8))


def _scene(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    y, x = (side.astype(np.float32) for side in np.mgrid[:height, :width])
    x, y = x / width, y / height
    pixels = _ramp(rng, x, y)
    for _ in range(SHAPES):
        (cx, cy), radius, power = rng.uniform(0, 1, 2), rng.uniform(0.05, 0.3), rng.choice([2, 8])
        inside = np.exp(-((((x - cx) / radius) ** 2 + ((y - cy) / radius) ** 2) ** power))[..., None]
        pixels += inside * (_ramp(rng, x, y) - pixels)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _ramp(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return colors that change from one side to another."""
    start, across, down = (
        rng.uniform(low, high, 3).astype(np.float32) for low, high in ((0, 255), (-80, 80), (-80, 80))
    )
    return start + x[..., None] * across + y[..., None] * down
