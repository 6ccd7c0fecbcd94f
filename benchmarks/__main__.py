"""Defines the commands. `python -m benchmarks` runs most benchmarks, and `python -m benchmarks queries` runs only one.
`python -m benchmarks report` writes the pages with the figures."""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.search.command import search

app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True)
def every(context: typer.Context) -> None:
    """Measure, print the figures, and keep the figures in benchmarks/results/. Without a command, run all benchmarks
    except `composed`, `cut`, `ranking-cost`, `server-time`, `what-if`, `features-query`, `features-page` and
    `features-ranking`. `against` and `against-loads` do not run either, because they need another version of
    Windowshop."""
    if context.invoked_subcommand is None:
        for one in (
            queries,
            watches,
            encoding,
            images,
            forward,
            text_tower,
            memory,
            faults,
            command,
            quality,
            loading,
            vectors,
            search,
        ):
            one()
        web()
        page()
        report()


@app.command()
def queries() -> None:
    """Measure how much longer SQL takes to encode a query text than the model alone."""
    from benchmarks.encoder import queries

    queries.run()


@app.command()
def watches() -> None:
    """Measure how long it takes to compare 64 products with 1,000 watches, against the time to encode the products."""
    from benchmarks.encoder import watches

    watches.run()


@app.command()
def encoding(
    count: Annotated[int, typer.Option(min=64, help="Number of images. CLIP encodes only a fifth of them.")] = 1242,
) -> None:
    """Measure how fast the encoder encodes the images of a catalog on a CPU, with the model's export and with torch."""
    from benchmarks.encoder import encoding

    encoding.run(count)
    encoding.clip(count // 5)


@app.command()
def images(
    device: Annotated[str, typer.Option(help="Device that runs the model: cpu or cuda.")] = "cpu",
    count: Annotated[int, typer.Option(min=64, help="Number of JPEG files to encode.")] = 2_000,
    side: Annotated[int, typer.Option(min=64, help="Longer side of each image, in pixels.")] = 1500,
) -> None:
    """Measure how fast JPEG files become committed vectors, compared with each stage alone and with a plain loop."""
    from benchmarks.encoder import images

    images.run(device, count, side)


@app.command()
def forward(device: Annotated[str, typer.Option(help="Device that runs the models: cpu or cuda.")] = "cpu") -> None:
    """Measure how fast the image towers of CLIP and SigLIP encode images that are already decoded."""
    from benchmarks.encoder import forward

    forward.run(device)


@app.command()
def text_tower() -> None:
    """Measure how long one core takes to encode a query text."""
    from benchmarks.encoder import text_tower

    text_tower.run()


@app.command()
def memory() -> None:
    """Measure whether the encoder's memory grows while it encodes 10,000 images."""
    from benchmarks.encoder import encoding

    encoding.memory()


@app.command()
def faults() -> None:
    """Measure how much slower encoding is after an encoder was killed, and while image addresses do not answer."""
    from benchmarks.encoder import faults

    faults.run()


@app.command()
def command() -> None:
    """Measure how long `windowshop search` takes, from the start of its process to the end."""
    from benchmarks import command

    command.run()


@app.command()
def quality() -> None:
    """Measure how relevant search results are for concepts that the model has not been trained on."""
    from benchmarks.relevance import quality

    quality.run()


@app.command()
def cut(
    splits: Annotated[
        list[int] | None, typer.Argument(help="Numbers of the splits to measure; by default all.")
    ] = None,
) -> None:
    """Measure the option cut => 'relevant', which removes results. The figures are the share of the relevant products
    that the option keeps, and the number of products that it keeps for a query of random letters. The relevant products
    are those of concepts that the model has not been trained on."""
    from benchmarks.relevance import cut

    cut.run(*([splits] if splits else []))


@app.command()
def composed(
    splits: Annotated[
        list[int] | None, typer.Argument(help="Numbers of the splits to measure; by default all.")
    ] = None,
) -> None:
    """Measure how well a search by a product with a change, such as "but red", finds the right products."""
    from benchmarks.relevance import composed

    composed.run(*([splits] if splits else []))


@app.command()
def features_query() -> None:
    """Measure how many made-up queries have the right results with and without operators, synonyms and corrections."""
    from benchmarks.relevance import features_query

    features_query.run()


@app.command()
def features_page() -> None:
    """Measure how many made-up cases are right with and without sorting, groups, diversity, suggestions and regions of
    an image."""
    from benchmarks.relevance import features_page

    features_page.run()


@app.command()
def features_ranking() -> None:
    """Measure how many made-up cases are right with and without signals and rules."""
    from benchmarks.relevance import features_ranking

    features_ranking.run()


@app.command()
def ranking_cost(
    rows: Annotated[int, typer.Option(min=1000, help="Number of products.")] = 100_000,
    pairs: Annotated[int, typer.Option(min=20, help="Number of searches that run in both databases.")] = 2_000,
    folder: Annotated[
        Path | None, typer.Option(help="Folder that keeps the database for the next run. Default: no folder.")
    ] = None,
) -> None:
    """Measure how much time signals and rules add to a search: when they are used, and when they are not used. The same
    search runs in two databases."""
    from benchmarks.relevance import ranking_cost

    ranking_cost.run(rows, pairs, folder)


@app.command()
def what_if(
    rows: Annotated[int, typer.Option(min=10_000, help="Number of products.")] = 100_000,
    folder: Annotated[
        Path | None, typer.Option(help="Folder that keeps the database for the next run. Default: no folder.")
    ] = None,
) -> None:
    """Measure how long shop.what_if takes for 500 queries, and how long a price update waits meanwhile."""
    from benchmarks.relevance import what_if_time

    what_if_time.run(rows, folder)


@app.command()
def loading(
    rows: Annotated[int, typer.Option(min=20_000, help="Number of rows in the feed.")] = 1_000_000,
) -> None:
    """Measure how fast a big Google feed is loaded."""
    from benchmarks.loading import feed as loading

    loading.run(rows)


@app.command()
def scale() -> None:
    """Compute the tables and the chart of docs/scale.md. Nothing is measured."""
    from benchmarks import scale

    scale.write()


@app.command()
def vectors(
    rows: Annotated[int, typer.Option(min=20_000, help="Number of products in the catalog.")] = 100_000,
    count: Annotated[
        int, typer.Option(min=1, help="Number of vectors to write with each method; at most as many as `--rows`.")
    ] = 10_240,
) -> None:
    """Measure how fast an encoder's calls write vectors, compared with core inserts of SQLAlchemy."""
    from benchmarks.loading import vectors

    vectors.run(rows, min(rows, count))


@app.command()
def web(
    rows: Annotated[
        int, typer.Option(help="Number of products in the generated catalog; the sample catalog is measured too.")
    ] = 100_000,
    folder: Annotated[
        Path | None, typer.Option(help="Folder that keeps the database for the next run. Default: no folder.")
    ] = None,
    overload_seconds: Annotated[
        int, typer.Option(help="Duration of the load at five times the peak rate, in seconds.")
    ] = 60,
) -> None:
    """Measure the web service: the time that it adds to a search in SQL, its throughput, and its answers under
    overload."""
    from benchmarks.web import service as web

    web.run(rows, folder, web.Effort(overload_seconds=overload_seconds))


@app.command()
def page(rounds: Annotated[int, typer.Option(min=3, help="Number of loads of each page.")] = 15) -> None:
    """Measure in Chromium, on a throttled connection, when the largest content of a search page is painted, compared
    with the same page with one image."""
    from benchmarks.web import page

    page.run(rounds)


@app.command()
def server_time(
    calls: Annotated[int, typer.Option(min=20, help="Number of calls of shop.suggest and of each page.")] = 200,
    folder: Annotated[
        Path | None, typer.Option(help="Folder that keeps the databases for the next run. Default: no folder.")
    ] = None,
) -> None:
    """Measure how long suggestions and pages take at 20,000 and 100,000 products, and how large the pages are."""
    from benchmarks.web import server_time

    server_time.run(calls, folder)


@app.command()
def report() -> None:
    """Write benchmarks/README.md and the pages in results/ from the kept figures, without measuring."""
    from benchmarks.support import page

    page.write()


@app.command()
def against(
    home: Annotated[
        Path, typer.Argument(help="Home folder of this version's embedded server with a generated catalog.")
    ],
    other_home: Annotated[
        Path,
        typer.Argument(
            help="Home folder of the other version, with the same catalog. This version must not upgrade this folder."
        ),
    ],
    other_python: Annotated[Path, typer.Option(help="Python interpreter of the other version's environment.")],
    rows: Annotated[int, typer.Option(help="Number of products in the catalog.")] = 50_000,
    cells: Annotated[
        bool, typer.Option("--cells", help="Compare recall and time of searches with the filters of `search filtered`.")
    ] = False,
) -> None:
    """Compare the search times of this version with those of another version. Both run the same searches, in turns."""
    from benchmarks.search import against, cells_against

    (cells_against if cells else against).run(home, other_home, other_python, rows)


@app.command()
def against_loads(
    other_python: Annotated[Path, typer.Option(help="Python interpreter of the other version's environment.")],
    rows: Annotated[int, typer.Option(help="Number of rows in the feed.")] = 50_000,
) -> None:
    """Compare the time that this version and another version take to load the same feed."""
    from benchmarks.loading import loads_against

    loads_against.run(other_python, rows)


app.command()(search)
app()
