"""`python -m benchmarks` runs all of them, `... queries` one; `... report` writes the page of all figures."""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.search.command import search

app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True)
def every(context: typer.Context) -> None:
    """Measure, print, and keep the figures in benchmarks/results/."""
    if context.invoked_subcommand is None:
        for one in (queries, encoding, images, forward, text_tower, memory, command, quality, loading, search):
            one()
        web()
        report()


@app.command()
def queries() -> None:
    """Encoding a text inside SQL."""
    from benchmarks.encoder import queries

    queries.run()


@app.command()
def encoding() -> None:
    """The catalog lane."""
    from benchmarks.encoder import encoding

    encoding.run()


@app.command()
def images(
    device: Annotated[str, typer.Option(help="cpu, or cuda.")] = "cpu",
    count: Annotated[int, typer.Option(min=64, help="JPEG files.")] = 2_000,
    side: Annotated[int, typer.Option(min=64, help="The longer side of each, in pixels.")] = 1500,
) -> None:
    """From JPEG files to committed rows: stage by stage, and against the plain loop."""
    from benchmarks.encoder import images

    images.run(device, count, side)


@app.command()
def forward(device: Annotated[str, typer.Option(help="cpu, or cuda.")] = "cpu") -> None:
    """The image towers alone."""
    from benchmarks.encoder import forward

    forward.run(device)


@app.command()
def text_tower() -> None:
    """A query text on one core."""
    from benchmarks.encoder import text_tower

    text_tower.run()


@app.command()
def memory() -> None:
    """The encoder's memory."""
    from benchmarks.encoder import encoding

    encoding.memory()


@app.command()
def command() -> None:
    """`windowshop search` as a whole process."""
    from benchmarks import command

    command.run()


@app.command()
def quality() -> None:
    """Relevance of search on concepts that the model never saw."""
    from benchmarks.relevance import quality

    quality.run()


@app.command()
def loading(
    rows: Annotated[int, typer.Option(min=20_000, help="Rows of the feed.")] = 1_000_000,
    vectors: Annotated[int, typer.Option(min=1, help="Vectors written in each way; at most as many as rows.")] = 10_000,
) -> None:
    """A big Google feed into the catalog, and vectors into their table."""
    from benchmarks.loading import feed as loading

    loading.run(rows, min(rows, vectors))


@app.command()
def web(
    rows: Annotated[int, typer.Option(help="Products of the larger catalog.")] = 100_000,
    folder: Annotated[Path | None, typer.Option(help="Keeps its database for the next run.")] = None,
    overload_seconds: Annotated[int, typer.Option(help="How long requests come at five times the peak rate.")] = 60,
) -> None:
    """The web service: its cost beyond SQL, its throughput, and an overload."""
    from benchmarks.web import service as web

    web.run(rows, folder, web.Effort(overload_seconds=overload_seconds))


@app.command()
def report() -> None:
    """Measure nothing: write benchmarks/README.md and the pages in results/ from the figures kept there."""
    from benchmarks.support import page

    page.write()


@app.command()
def against(
    home: Annotated[Path, typer.Argument(help="An embedded server with a benchmark catalog, for this version.")],
    other_home: Annotated[
        Path, typer.Argument(help="A copy of it as it was before its upgrade, for the other version.")
    ],
    other_python: Annotated[Path, typer.Option(help="The interpreter of the other version's environment.")],
    rows: Annotated[int, typer.Option(help="Products of the catalog.")] = 50_000,
) -> None:
    """This version and another one, the same searches in turns."""
    from benchmarks.search import against

    against.run(home, other_home, other_python, rows)


app.command()(search)
app()
