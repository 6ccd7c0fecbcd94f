"""Train and evaluate the starter head: ``python -m windowshop.starter evaluate``.

The head is the only part of the starter model that is trained here. It maps the features of the image tower to vectors
of the text model. The head adds a learned correction to a prior that needs no training (encoder/starter/head.py).

This is not a command of `windowshop`, because the training pairs are not installed with the package.

The first ``train`` or ``evaluate`` computes the tower's features of all pairs, which takes a few CPU-minutes. Later
runs read the features from ``--cache``. Scores are measured only on concepts that the head was not trained on, because
scores on its training images would be too high.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from encoder.starter import golden, weights
from encoder.starter import head as heads
from encoder.starter.assembly import assemble, text_tower
from encoder.starter.tower import Tower
from encoder.starter.training import captions, features, measure, pairs, splits
from encoder.starter.training.evaluate import Scores, mean
from encoder.starter.training.fit import Material, Recipe, fit, use_threads

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)
console = Console()

Cache = Annotated[Path, typer.Option(help="Folder for computed features.")]
Seed = Annotated[
    int, typer.Option(help="Seed for the random choice of views and captions, and for the initial weights.")
]
Threads = Annotated[int, typer.Option(help="Number of torch threads.")]

_CACHE = Path(".cache/starter")
_COLUMNS = {
    "recall_1": "R@1", "recall_5": "R@5", "recall_10": "R@10", "mrr": "MRR",
    "r_precision": "R-precision", "queries": "queries", "images": "images",
}  # fmt: skip


@app.command()
def evaluate(cache: Cache = _CACHE, seed: Seed = 0, threads: Threads = 2) -> None:
    """Train a head for each committed split. Print the scores of the head, of the prior alone and of random vectors on
    the split's test side."""
    use_threads(threads)
    with _progress() as progress:
        material = gather(cache, progress)
        task = progress.add_task("splits", total=splits.COUNT)
        found = measure.measure(material, splits.read(), lambda done: progress.update(task, completed=done), seed)
    for method, scores in found.items():
        console.print(_table(method, scores))


@app.command()
def train(
    export_head: Annotated[Path, typer.Option(help="The file to which the head is written.")] = weights.HEAD_FILE,
    split: Annotated[
        int | None,
        typer.Option(min=1, max=splits.COUNT, help="Use only this split's training side (default: all pairs)."),
    ] = None,
    cache: Cache = _CACHE,
    seed: Seed = 0,
    threads: Threads = 2,
) -> None:
    """Train a head on all pairs, as the shipped head was trained, or on a split's training side. Write the head to a
    file."""
    use_threads(threads)
    with _progress() as progress:
        material = gather(cache, progress)
        rows = list(range(len(material.pairs)))
        if split is not None:
            rows, _ = splits.sides(material.pairs, splits.read()[split - 1])
        recipe = Recipe(seed=seed)
        task = progress.add_task("epochs", total=recipe.epochs)
        head = fit(material, rows, recipe, lambda done: progress.update(task, completed=done))
    heads.save(head, export_head)
    console.print(
        f"{export_head}: {export_head.stat().st_size / 1e6:.1f} MB, "
        f"{len(rows)} pairs, revision {weights.revision(export_head)}"
    )


@app.command("draw-splits")
def draw_splits(seed: Annotated[int, typer.Option()] = splits.SEED) -> None:
    """Draw the committed splits again. The same pairs and seed give the same file."""
    splits.write(splits.draw(pairs.read(), seed))


@app.command("golden")
def write_golden() -> None:
    """Store the vectors of the fixed inputs, computed with the shipped head. Run this command once after the head is
    trained."""
    golden.write(assemble("cpu", weights.HEAD_FILE))


def gather(cache: Path, progress: Progress) -> Material:
    every = pairs.read()
    task = progress.add_task("images", total=len(every))
    computed = features.of(every, cache, lambda done: progress.update(task, completed=done))
    text = text_tower("cpu")
    return Material(
        pairs=every,
        features=computed,
        captions=captions.of(every, computed, text, cache),
        classes=captions.classes(text, cache),
        classifier=Tower(weights.image_file()).classifier,
    )


def _progress() -> Progress:
    columns = (TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console)


def _table(method: str, scores: list[Scores]) -> Table:
    table = Table(title=f"{method}, held-out concepts")
    table.add_column("split")
    for heading in _COLUMNS.values():
        table.add_column(heading, justify="right")
    for number, one in enumerate(scores, 1):
        table.add_row(str(number), *(_cell(name, getattr(one, name)) for name in _COLUMNS))
    average = mean(scores)
    table.add_row("mean", *(_cell(name, average[name]) for name in _COLUMNS), style="bold")
    return table


def _cell(name: str, value: float) -> str:
    return f"{value:.0f}" if name in ("queries", "images") else f"{value:.3f}"


if __name__ == "__main__":
    app()
