"""Measures how many images a second the image towers encode, from batches that are already on the device.

The baseline is transformers with the same weights, precision and batch size. The vectors are compared with the vectors
of transformers in float32.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from copy import deepcopy

import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from benchmarks.encoder.architectures import SIGLIP_B_16, VIT_B_32, VIT_L_14, Architecture
from benchmarks.support.report import Line, Table, keep
from encoder.models.fast_image_tower import FastImageTower
from encoder.models.image_tower import compiled_tower

BATCHES = ((VIT_B_32, 512), (SIGLIP_B_16, 256), (VIT_L_14, 256))


def run(device: str) -> None:
    """On a GPU, measure all towers, with and without compilation. On a CPU, measure only the smallest tower, without
    compilation and with few images."""
    gpu = device.startswith("cuda")
    lines: list[Line] = []
    rows: list[list[str]] = []
    raw: dict[str, object] = {}
    with torch.inference_mode():
        for architecture, batch in BATCHES if gpu else BATCHES[:1]:
            found = _measure(architecture, batch if gpu else 4, device, gpu)
            raw[architecture.name] = found
            best = max(found["tower"], found.get("compiled", 0.0))
            goal = f">= {architecture.goal} on an H100" if gpu else ""
            met = best >= architecture.goal if gpu else None
            lines.append(Line(f"{architecture.name}, images/s", f"{best:.0f}", goal, met))
            close = found["1 - cosine"] <= 1e-4
            lines.append(
                Line(f"{architecture.name}, 1 - cosine to float32", f"{found['1 - cosine']:.1e}", "<= 1e-4", close)
            )
            used = best * architecture.gflop / 1000
            rows.append(
                [
                    architecture.name,
                    *(f"{found.get(way, 0):.0f}" for way in ("transformers", "tower", "compiled")),
                    f"{best / found['transformers']:.2f}",
                    f"{used:.0f}",
                ]
            )
            _keep(device, gpu, lines, rows, raw)  # after each tower, so that an interrupted run keeps its figures


def _keep(device: str, gpu: bool, lines: list[Line], rows: list[list[str]], raw: dict[str, object]) -> None:
    where = torch.cuda.get_device_name(device) if gpu else "CPU"
    header = ["images/s", "transformers", "tower", "compiled", "best / transformers", "TFLOP/s"]
    keep(
        f"forward_{where.lower().replace(' ', '_')}" if gpu else "forward",
        f"Image towers alone, {where}",
        lines,
        raw,
        [Table("bfloat16" if gpu else "float32", header, rows)],
        packages=("torch", "transformers"),
    )


def _measure(architecture: Architecture, batch: int, device: str, gpu: bool) -> dict[str, float]:
    model = architecture.model().to(device)
    dtype = torch.bfloat16 if gpu else torch.float32
    mean, std = architecture.normalisation
    batches = list(_images(batch, architecture.side, device, 4))
    few = batches[0][:32]
    centre, spread = (torch.tensor(each, device=device)[:, None, None] for each in (mean, std))

    def plain(pixels: Tensor, module: object = model, kind: torch.dtype = torch.float32) -> Tensor:
        values = ((pixels.permute(0, 3, 1, 2).float() / 255 - centre) / spread).to(kind)
        return normalize(module.get_image_features(pixel_values=values).pooler_output.float(), dim=-1)  # type: ignore[attr-defined]

    reference = plain(few)
    same = deepcopy(model).to(dtype)
    tower = FastImageTower(deepcopy(model), mean, std, dtype).to(device).eval()
    found = {
        "batch": float(batch),
        "1 - cosine": float(1 - (tower(few) * reference).sum(-1).min()),
        "transformers": _rate(lambda pixels: plain(pixels, same, dtype), batches),
        "tower": _rate(tower, batches),
    }
    if gpu:
        fast = compiled_tower(tower, batch)
        found["compiled"] = _rate(fast, batches)
        found["1 - cosine"] = max(found["1 - cosine"], float(1 - (fast(batches[0])[:32] * reference).sum(-1).min()))
    return found


def _images(batch: int, side: int, device: str, count: int) -> Iterator[Tensor]:
    """Yields batches of smooth random images. With images of one colour, matrix products would be faster than with real
    images."""
    chance = torch.Generator().manual_seed(1)
    for _ in range(count):
        rough = torch.randint(0, 256, (batch, 3, 8, 8), generator=chance).float()
        smooth = interpolate(rough, size=(side, side), mode="bilinear")
        yield smooth.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().to(device)


def _rate(forward: Callable[[Tensor], Tensor], batches: list[Tensor], seconds: float = 1.5) -> float:
    def wait() -> None:
        if batches[0].is_cuda:
            torch.cuda.synchronize()

    for pixels in batches:
        forward(pixels)
    wait()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        started = time.perf_counter()
        for pixels in batches:
            forward(pixels)
        wait()
        times.append((time.perf_counter() - started) / len(batches))
    return len(batches[0]) / statistics.median(times)
