"""Draws JPEGs for measurements, in several processes. This module imports few modules, so that the processes start
quickly."""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

DRAWINGS = Path(__file__).parents[2] / "loader" / "sample" / "images"


def draw_all(paths: Sequence[Path], side: int) -> None:
    """Draw distinct images whose longer side is `side` pixels."""
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(partial(_draw, side=side), paths, range(len(paths)), chunksize=64))


def _draw(path: Path, number: int, side: int) -> None:
    """Write a sample image with the grain of a photograph, so that its file is as large as the file of a photograph."""
    drawings = sorted(DRAWINGS.glob("*.webp"))
    width, height = side // 2 * 2, side * 3 // 8 * 2
    with Image.open(drawings[number % len(drawings)]) as drawing:
        large = np.asarray(drawing.convert("RGB").resize((width, height), Image.Resampling.BICUBIC))
    chance = np.random.default_rng(number)
    grain = chance.integers(-20, 21, (height // 2, width // 2, 1), dtype=np.int16).repeat(2, 0).repeat(2, 1)
    Image.fromarray((large + grain).clip(0, 255).astype(np.uint8)).save(path, quality=85)
