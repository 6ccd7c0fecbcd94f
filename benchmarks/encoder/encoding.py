"""Measures how fast the encoder's catalog lane, which encodes images and titles, runs on a CPU. The time of the lane is
compared with the time of its slowest stage, and with the time of the plain loop that most people write:

    for path in paths: model.encode(Image.open(path))

The loop runs right after the lane, in the same process and on the same files. Only the lane hashes the files and stores
vectors. `memory` measures whether the memory of an encoder grows.
"""

import os
import time
from pathlib import Path

import psutil
import torch
from PIL import Image

from benchmarks.encoder.lane import drive
from benchmarks.support.report import Line, keep
from benchmarks.support.site import encoder, site
from encoder import starter
from encoder.service import load_models
from encoder.settings import EncoderSettings


def plain_loop(paths: list[Path]) -> float:
    # This is torch's default: a forward pass uses all cores. The catalog lane runs one model thread per core instead.
    torch.set_num_threads(os.cpu_count() or 1)
    module = starter.load("cpu")
    module.encode([Image.open(paths[0]).convert("RGB")])
    started = time.perf_counter()
    for path in paths:
        module.encode([Image.open(path).convert("RGB")], show_progress_bar=False)
    return time.perf_counter() - started


def run(count: int = 1242, batches: tuple[int, ...] = (16, 32, 64)) -> None:
    cores = os.cpu_count() or 1
    with site() as measured:
        paths = measured.load_images(count)
        (model,) = load_models(measured.database, EncoderSettings(device="cpu")).values()
        model.warm_up()
        drive(measured, model, EncoderSettings())  # encodes the titles and warms up the model; this run is not measured
        rates: dict[int, float] = {}
        for batch in batches:  # finds the fastest batch size; the lane then runs with this size
            measured.forget_vectors(titles=False)
            clock, _ = drive(measured, model, EncoderSettings(image_batch=batch))
            rates[batch] = count / clock.wall
            print(f"batch {batch}: {rates[batch]:.0f} images/s")
        best = max(rates, key=rates.__getitem__)
        rounds = []
        for _ in range(3):
            measured.forget_vectors(titles=False)
            clock, used = drive(measured, model, EncoderSettings(image_batch=best))
            rounds.append((clock, used, plain_loop(paths)))
    clock, used, loop = sorted(rounds, key=lambda each: each[0].wall)[1]
    slowest = max(clock.busy["model"], clock.busy["write"], used / cores)
    ratio, speedup = clock.wall / slowest, loop / clock.wall
    stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in clock.busy.items())
    lines = [
        Line(
            f"catalog lane, {count} images, batch {best}",
            f"{clock.wall:.1f} s, {count / clock.wall:.0f} images/s",
        ),
        Line("seconds that each stage was busy; claim and prepare include waiting", stages),
        Line(f"CPU-seconds of encoder, decoders and backends / {cores} cores", f"{used / cores:.1f} s"),
        Line("total / max(slowest stage, CPU-seconds / cores)", f"{ratio:.2f}", "<= 1.2", ratio <= 1.2),
        Line("plain loop over the same files", f"{loop:.1f} s, {count / loop:.0f} images/s"),
        Line("catalog lane against the plain loop", f"{speedup:.2f} x", ">= 1.5 x", speedup >= 1.5),
    ]
    raw = {
        "rates_by_batch": rates,
        "rounds": [{"wall": c.wall, "busy": c.busy, "cpu_seconds": u, "loop": p} for c, u, p in rounds],
    }
    keep("encoding", "Encoding the catalog on CPU (starter)", lines, raw)


def memory(count: int = 10_000) -> None:
    """Measure the resident memory of an encoder process while it encodes `count` images."""
    with site() as measured, encoder(measured) as process:
        watched = psutil.Process(process.pid)
        measured.load_images(count)
        samples: list[tuple[int, float]] = []
        while left := measured.left():
            samples.append((2 * count - left, watched.memory_info().rss / 2**20))
            time.sleep(1)
    steady = [mib for done, mib in samples if done > 0.2 * 2 * count]
    growth = max(steady[len(steady) // 2 :]) - max(steady[: len(steady) // 2])
    lines = [
        Line(f"resident memory over {count} images, at 20% / at the end", f"{steady[0]:.0f} / {steady[-1]:.0f} MiB"),
        Line(
            "highest memory of the second half of the run - highest of the first half, without the first 20%",
            f"{growth:+.0f} MiB",
            "flat: <= 20 MiB",
            growth <= 20,
        ),
    ]
    keep("memory", "Memory of the encoder (starter, CPU)", lines, {"samples": samples})
