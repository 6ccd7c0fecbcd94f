"""`python -m benchmarks` runs all benchmarks, `... queries` runs one, and `... report` writes the page of all
figures."""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.search.command import search

app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True)
def every(context: typer.Context) -> None:
    """Run the benchmarks, print the figures, and keep them in benchmarks/results/."""
    if context.invoked_subcommand is None:
        for one in (queries, encoding, images, forward, text_tower, memory, command, quality, loading, search):
            one()
        web()
        report()


@app.command()
def queries() -> None:
    """Measure what encoding a text inside SQL costs."""
    from benchmarks.encoder import queries

    queries.run()


@app.command()
def encoding() -> None:
    """Measure the speed of the catalog lane."""
    from benchmarks.encoder import encoding

    encoding.run()


@app.command()
def images(
    device: Annotated[str, typer.Option(help="cpu, or cuda.")] = "cpu",
    count: Annotated[int, typer.Option(min=64, help="Number of JPEG files.")] = 2_000,
    side: Annotated[int, typer.Option(min=64, help="Longer side of each image, in pixels.")] = 1500,
) -> None:
    """Measure the way from JPEG files to committed rows, stage by stage and against a plain loop."""
    from benchmarks.encoder import images

    images.run(device, count, side)


@app.command()
def forward(device: Annotated[str, typer.Option(help="cpu, or cuda.")] = "cpu") -> None:
    """Measure the image towers alone."""
    from benchmarks.encoder import forward

    forward.run(device)


@app.command()
def text_tower() -> None:
    """Measure how long a query text takes on one core."""
    from benchmarks.encoder import text_tower

    text_tower.run()


@app.command()
def memory() -> None:
    """Measure the encoder's memory."""
    from benchmarks.encoder import encoding

    encoding.memory()


@app.command()
def command() -> None:
    """Measure `windowshop search` as a whole process."""
    from benchmarks import command

    command.run()


@app.command()
def quality() -> None:
    """Measure the relevance of search on concepts that the model never saw."""
    from benchmarks.relevance import quality

    quality.run()


@app.command()
def loading(
    rows: Annotated[int, typer.Option(min=20_000, help="Number of rows in the feed.")] = 1_000_000,
    vectors: Annotated[
        int, typer.Option(min=1, help="Number of vectors written with each method; at most `rows`.")
    ] = 10_000,
) -> None:
    """Measure how fast a big Google feed is loaded and vectors are written."""
    from benchmarks.loading import feed as loading

    loading.run(rows, min(rows, vectors))


@app.command()
def web(
    rows: Annotated[int, typer.Option(help="Number of products in the larger catalog.")] = 100_000,
    folder: Annotated[Path | None, typer.Option(help="Folder that keeps the database for the next run.")] = None,
    overload_seconds: Annotated[int, typer.Option(help="Seconds of load at five times the peak rate.")] = 60,
) -> None:
    """Measure the web service: its cost beyond SQL, its throughput, and its answers under overload."""
    from benchmarks.web import service as web

    web.run(rows, folder, web.Effort(overload_seconds=overload_seconds))


@app.command()
def report() -> None:
    """Write benchmarks/README.md and the pages in results/ from the figures kept there."""
    from benchmarks.support import page

    page.write()


@app.command()
def against(
    home: Annotated[
        Path, typer.Argument(help="Home of an embedded server with a benchmark catalog, for this version.")
    ],
    other_home: Annotated[
        Path, typer.Argument(help="A copy of this home from before its upgrade, for the other version.")
    ],
    other_python: Annotated[Path, typer.Option(help="The interpreter of the other version's environment.")],
    rows: Annotated[int, typer.Option(help="Number of products in the catalog.")] = 50_000,
) -> None:
    """Compare this version with another one on the same searches, in turns."""
    from benchmarks.search import against

    against.run(home, other_home, other_python, rows)


app.command()(search)
app()
