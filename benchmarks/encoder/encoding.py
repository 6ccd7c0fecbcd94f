"""Measures how fast the encoder's catalog lane encodes images on a CPU: with the model's export, and with torch. The
catalog lane is the encoder's loop over the titles and images of products. Its time is compared with the time of its
slowest stage, and with the time of the plain loop that most people write:

    for path in paths: model.encode(Image.open(path))

In each round, the lane with the export, the lane with torch and the loop run one after another, in the same process.
The loop encodes only a quarter of the files. Only the lanes hash the files and store vectors. `clip` measures the
lanes with CLIP ViT-B/32. `memory` measures whether the memory of an encoder grows.
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

import psutil
import torch
from PIL import Image

from benchmarks.encoder.architectures import VIT_B_32, save_clip
from benchmarks.encoder.lane import drive, export_starter
from benchmarks.support.report import Line, keep
from benchmarks.support.site import Site, encoder, site
from encoder import starter
from encoder.lanes.pipeline import StageTimer
from encoder.models import export
from encoder.models.loading import Model, load
from encoder.service import load_models
from encoder.settings import EncoderSettings
from migrations.model_revisions import NewModel
from windowshop.output.exporting import sample_images, sample_texts

Run = tuple[StageTimer, float]  # the times of a lane, and its CPU-seconds


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
    with site() as measured:
        paths = measured.load_images(count)
        export_starter(measured)
        fast, plain = _loaded(measured, "onnx"), _loaded(measured, "torch")
        drive(measured, fast, EncoderSettings())  # encodes the titles and warms up the model; this run is not measured
        rates: dict[int, float] = {}
        # Find the batch size at which the lane with the export is fastest. Both lanes then run with this size.
        for batch in batches:
            measured.forget_vectors(titles=False)
            clock, _ = drive(measured, fast, EncoderSettings(image_batch=batch))
            rates[batch] = count / clock.wall
            print(f"batch {batch}: {rates[batch]:.0f} images/s")
        best = max(rates, key=rates.__getitem__)
        rounds: list[tuple[Run, Run]] = []
        loops: list[float] = []  # images/s
        few = paths[: max(32, count // 4)]
        for _ in range(3):
            rounds.append(_round(measured, fast, plain, EncoderSettings(image_batch=best)))
            loops.append(len(few) / plain_loop(few))
    lines = _lines(rounds, count, f"ONNX Runtime, batch {best}")
    loop = statistics.median(loops)
    ratio = count / statistics.median(one.wall for (one, _), _ in rounds) / loop
    lines += [
        Line(f"plain loop over {len(few)} of the files", f"{loop:.0f} images/s"),
        Line("catalog lane against the plain loop", f"{ratio:.2f} x", ">= 1.5 x", ratio >= 1.5),
    ]
    keep("encoding", "Encoding the catalog on CPU (starter)", lines, _raw(rounds) | {"batch": rates, "loops": loops})


def clip(count: int = 256) -> None:
    """Measure the lanes with CLIP ViT-B/32. In the lane with the export, the image tower can run in bfloat16, if the
    CPU has instructions for this."""
    with tempfile.TemporaryDirectory() as folder:
        source = str(save_clip(Path(folder) / "clip"))
        model = load(source)
        with site(NewModel("clip", source, model.revision, model.dimension)) as measured:
            measured.load_images(count)
            export.write(model, measured.settings.home / "exports", sample_texts(), sample_images())
            fast, plain = _loaded(measured, "auto"), _loaded(measured, "torch")
            drive(measured, fast, EncoderSettings())
            rounds = [_round(measured, fast, plain, EncoderSettings(image_batch=16)) for _ in range(3)]
    lines = _lines(rounds, count, fast.engines["image"])
    keep("encoding_clip", f"Encoding the catalog on CPU ({VIT_B_32.name}, random weights)", lines, _raw(rounds))


def _loaded(measured: Site, engine: str) -> Model:
    settings = EncoderSettings.model_validate(
        {"device": "cpu", "engine": engine, "exports": measured.settings.home / "exports"}
    )
    (model,) = load_models(measured.database, settings).values()
    model.warm_up()
    return model


def _round(measured: Site, fast: Model, plain: Model, settings: EncoderSettings) -> tuple[Run, Run]:
    """Returns the runs of the lane with the export and with torch."""
    runs: list[Run] = []
    for model in (fast, plain):
        measured.forget_vectors(titles=False)
        runs.append(drive(measured, model, settings))
        print(f"{model.engines['image']}: {runs[-1][0].wall:.1f} s", flush=True)
    return runs[0], runs[1]


def _lines(rounds: list[tuple[Run, Run]], count: int, engine: str) -> list[Line]:
    """Returns the figures of the middle round, in which the ratio of the lanes is the median."""
    cores = os.cpu_count() or 1
    (clock, used), (plain, plain_used) = sorted(rounds, key=lambda each: each[1][0].wall / each[0][0].wall)[1]
    slowest = max(clock.busy["model"], clock.busy["write"], used / cores)
    share, speedup = slowest / clock.wall, plain.wall / clock.wall
    stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in clock.busy.items())
    return [
        Line(f"catalog lane, {count} images, {engine}", f"{clock.wall:.1f} s, {count / clock.wall:.0f} images/s"),
        Line("catalog lane, torch in float32", f"{plain.wall:.1f} s, {count / plain.wall:.0f} images/s"),
        Line("catalog lane against torch in float32", f"{speedup:.2f} x", ">= 2.0 x", speedup >= 2),
        Line("CPU-seconds of the lane: with torch / with the export", f"{plain_used / used:.2f} x"),
        Line("seconds that each stage was busy; claim and prepare include waiting", stages),
        Line(f"CPU-seconds of encoder, decoders and backends / {cores} cores", f"{used / cores:.1f} s"),
        Line("max(slowest stage, CPU-seconds / cores) / total", f"{share:.2f}", ">= .90", share >= 0.9),
    ]


def _raw(rounds: list[tuple[Run, Run]]) -> dict[str, object]:
    def shown(run: Run) -> dict[str, object]:
        return {"wall": run[0].wall, "busy": run[0].busy, "cpu_seconds": run[1]}

    return {"rounds": [{"fast": shown(fast), "torch": shown(plain)} for fast, plain in rounds]}


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
