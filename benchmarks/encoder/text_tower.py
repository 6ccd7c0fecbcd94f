"""Measures how long CLIP ViT-B/32 takes to encode a query text on one core. The baseline is transformers with the same
text, padded to 77 tokens."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import normalize

from benchmarks.encoder.architectures import VIT_B_32, save_clip
from benchmarks.support.report import Line, keep, milliseconds
from encoder.models.loading import Features, load

TOKENS = (4, 5, 6, 7, 8, 10, 12)  # lengths of the queries: a start token, 2 to 10 tokens of text, an end token


def run(rounds: int = 15) -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        model = load(str(save_clip(Path(folder) / "clip")))
    tower = model._module[0].model  # type: ignore[index]  # a SentenceTransformer is a list of modules
    chance = torch.Generator().manual_seed(1)
    ours: list[float] = []
    padded: list[float] = []
    furthest = 0.0
    for _ in range(rounds):
        for tokens in TOKENS:
            ids = torch.randint(2, 258, (1, tokens), generator=chance)
            ids[0, 0], ids[0, -1] = 0, 1
            short: Features = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "modality": "text"}
            long = torch.ones((1, 77), dtype=ids.dtype)
            long[0, :tokens] = ids
            mask = (torch.arange(77) < tokens).long()[None]
            seconds, vector = _timed(lambda short=short: torch.from_numpy(model.forward(short)))  # type: ignore[misc]
            ours.append(seconds)
            with torch.inference_mode():
                seconds, reference = _timed(
                    lambda long=long, mask=mask: tower.get_text_features(input_ids=long, attention_mask=mask)  # type: ignore[misc]
                )
            padded.append(seconds)
            reference = normalize(reference.pooler_output.float(), dim=-1)
            furthest = max(furthest, float(1 - (vector * reference).sum()))
    ratio = statistics.median(ours) / statistics.median(padded)
    lines = [
        Line("a query text", milliseconds(statistics.median(ours))),
        Line("padded to 77 tokens, float32", milliseconds(statistics.median(padded))),
        Line("a query text / padded", f"{ratio:.2f}", "<= .33", ratio <= 1 / 3),
        Line("1 - cosine between the two vectors, largest", f"{furthest:.1e}", "<= 1e-4", furthest <= 1e-4),
    ]
    raw = {"tokens": TOKENS, "seconds": ours, "padded_seconds": padded}
    keep("text-tower", f"A query text on one core, {VIT_B_32.name}", lines, raw, packages=("torch", "transformers"))


def _timed(forward: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    made = forward()
    return time.perf_counter() - started, made
