"""Defines the commands of `windowshop index`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from db.roles import Role
from windowshop.model import every_model_status
from windowshop.options import AsJson
from windowshop.output.terminal import say

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from db.engine import Database
    from db.lifecycle.warming import Warmed

app = typer.Typer(
    no_args_is_help=True,
    help="Indexes: list all, build the deferred indexes, rebuild the indexes of a model, add or drop labels, "
    "read indexes into memory.",
)


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show every vector index with its size, parameters and state, and which parameters and settings suit the catalog.

    A line names each index over bits whose table has grown so much since the build that a rebuild pays.
    """
    from rich.console import Console

    from db.engine import open_database
    from db.lifecycle import deferred_indexes
    from db.search.calibration import calibration_advice
    from db.settings import Settings
    from windowshop.output import models as report

    with open_database(Settings.read()) as database:
        indexes = [index for model in every_model_status(database) for index in model.indexes]
        with database.connect(Role.ANALYST) as conn:
            deferred = [index.name for index in deferred_indexes.deferred(conn)]
            advice = calibration_advice(conn)
            suited = suitable_lines(conn)
    if as_json:
        rows: list[dict[str, Any]] = [asdict(index) for index in indexes]
        typer.echo(json.dumps(rows, indent=2))
    else:
        report.print_indexes(Console(), indexes)
    for line in report.outgrown(indexes):
        say(line)
    if advice:
        say(f"The newest calibration missed its target: {advice}.")
    for line in suited:
        say(line)
    if deferred:
        say(f'Deferred until "windowshop index build": {", ".join(deferred)}.')


def suitable_lines(conn: "Connection", dimension: int | None = None) -> list[str]:
    """Return lines with the index parameters and server settings that suit the catalog.

    The lines are for a model of this dimension. Without a dimension, they are for the serving model, and there are no
    lines if no model is serving.
    """
    from db.lifecycle import sizing
    from db.lifecycle.serving import every_model
    from windowshop.output.sizing import describe

    dimensions = [model.dimension for model in every_model(conn) if model.status == "serving"]
    if dimension is None and not dimensions:
        return []
    images, titles = sizing.catalog_size(conn)
    suits = sizing.suitable(images, titles, dimension or dimensions[0])
    return describe(images, titles, suits, sizing.present(conn))


# The type of migrations/reindex.py, repeated here because the import of that module takes a second.
Quantize = Literal["none", "bit"]
Label = Annotated[
    str,
    typer.Option(
        "--label",
        help="The field: product_type, brand, catalog, color, size, material, attributes.<key>, or top:product_type, "
        'the first part of paths such as "Apparel > Shoes".',
    ),
]
LabelModel = Annotated[str | None, typer.Option("--model", help="The model. Default: the serving model.")]


@app.command()
def add(
    label: Label,
    min_rows: Annotated[
        int | None,
        typer.Option(
            "--min-rows",
            help="Leave out values with fewer products than this. Default: the larger of 1,000 and the number of "
            "matches up to which searches compare all matches, by the newest calibration.",
            min=1,
        ),
    ] = None,
    model: LabelModel = None,
) -> None:
    """Give each frequent value of a field an HNSW index of its own. Searches and loads continue meanwhile.

    A search with the filter {"product_type": "bags"} then reads the index of the bags alone, even if bags are far from
    the query. The same holds for the catalog of a search, and for a list of up to 5 values. Other conditions of the
    filter are tested on the products of these indexes. With --label top:product_type, the filter {"product_type":
    {"prefix": "Apparel > "}} reads the index of all products whose path begins with Apparel.

    The cost: the vectors of these products are stored a second time. So a label with a tenth of the products takes
    about a tenth of the disk space of the model's tables and indexes, and a tenth of the time to build these indexes.
    Each later change of such a vector needs one more insertion into an index. See docs/search.md.

    Run the command again when further values have become frequent. "windowshop index build" continues an interrupted
    command, and "windowshop index drop" undoes it.

    Example: windowshop index add --label product_type
    """
    from db.engine import open_database
    from db.lifecycle import label_indexes
    from db.settings import Settings
    from migrations.label_indexes import add_labels

    settings = Settings.read()
    with open_database(settings, on_progress=say) as database:
        added = add_labels(database, settings, label, min_rows=min_rows, model=model, on_progress=say)
        if added.file is not None:
            typer.echo(f"wrote {added.file}")
        built, left = build_with_progress(database)
        with database.connect(Role.ANALYST) as conn:
            least = label_indexes.least_rows(conn) if min_rows is None else min_rows
    if added.left_out:
        typer.echo(
            f"{len(added.left_out)} values get no label, because a model has at most {label_indexes.MOST} labels. "
            f"The most frequent of them is {added.left_out[0]!r}."
        )
    elif added.file is None:
        typer.echo(
            f"No further value of {label} has {least:,} products or more, so model {added.model} gets no new label. "
            "--min-rows sets another limit."
        )
    if added.file is not None:
        typer.echo(f"Model {added.model} has labels for {len(added.values)} more values of {label}.")
    _tell_built(built, left)


@app.command()
def advise(
    log: Annotated[
        list[Path] | None,
        typer.Option(
            "--log",
            help="A file with the filters of searches, one JSON object a line: the log of the web service with "
            "WINDOWSHOP_WEB_LOG_LABELS on, or filters of your own. - is the standard input.",
        ),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", help='Only this field, as in "windowshop index add".'),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show which indexes of labels would make searches faster, with their memory, build time and command.

    Without --log, the most frequent values come first. Searches with the first values are timed, with products of the
    catalog as queries. The time with a label is an estimate. Nothing is built or changed.

    Example: windowshop index advise --log web.log
    """
    from rich.console import Console

    from db.engine import open_database
    from db.errors import DatabaseError
    from db.lifecycle import label_advice, label_indexes
    from db.lifecycle.promotion import serving_name
    from db.settings import Settings
    from windowshop.output import labels as report

    for one in label or ():
        label_indexes.field_sql(one)
    filters = report.read(log or ())
    fields = label or label_advice.fields_of(filters)
    with open_database(Settings.read()) as database, database.connect(Role.ANALYST, read=True) as conn:
        model = serving_name(conn)
        if model is None:
            raise DatabaseError("no model is serving", hint='Add one with "windowshop model add starter".')
        found = label_advice.advise(conn, model, filters, fields)
        least = label_indexes.least_rows(conn)
    if as_json:
        typer.echo(report.as_json(filters, found))
    else:
        report.print_advice(Console(), filters, found, logged=bool(log), least=least)


@app.command()
def drop(label: Label, model: LabelModel = None) -> None:
    """Drop the indexes that "windowshop index add" has built for a field, and the copies of the vectors."""
    from db.engine import open_database
    from db.settings import Settings
    from migrations.label_indexes import drop_labels

    settings = Settings.read()
    with open_database(settings, on_progress=say) as database:
        dropped = drop_labels(database, settings, label, model=model, on_progress=say)
    if dropped.file is None:
        typer.echo(f"Model {dropped.model} has no labels of {label}.")
    else:
        typer.echo(f"wrote {dropped.file}")
        typer.echo(f"Dropped the labels for {len(dropped.values)} values of {label}.")


@app.command()
def build() -> None:
    """Build the indexes that were deferred while tables were filled. Searches and loads continue during the build.

    "windowshop load" and "windowshop encode" build the indexes that they deferred. Run this command if a load or an
    encoder was killed before it built its indexes. An index that an interrupted build left invalid is built again.
    """
    from db.engine import open_database
    from db.settings import Settings

    with open_database(Settings.read()) as database:
        built, left = build_with_progress(database)
    _tell_built(built, left)
    if not built and not left:
        typer.echo("No index is deferred.")


def build_with_progress(database: "Database") -> tuple[list[str], list[str]]:
    """Build the deferred indexes. Returns the names of the built indexes and of those that are still deferred."""
    from db.lifecycle import deferred_indexes
    from windowshop.output.progress import progress_bar

    with progress_bar("Building indexes", 1.0) as bar:
        built = deferred_indexes.build(
            database, on_progress=lambda name, phase, share: bar.update(share, 1.0, f"{name}: {phase}")
        )
    with database.connect(Role.ANALYST) as conn:
        return built, [index.name for index in deferred_indexes.deferred(conn)]


def _tell_built(built: list[str], left: list[str]) -> None:
    for name in built:
        typer.echo(f"built {name}")
    if left:
        typer.echo(f"Another session is building indexes; still missing: {', '.join(left)}.")


@app.command()
def rebuild(
    model: Annotated[
        str | None, typer.Option(help="The model whose indexes are rebuilt. Default: the serving model.")
    ] = None,
    m: Annotated[int, typer.Option("--m", help="Number of links of each vector in the graph.", min=2, max=100)] = 16,
    ef_construction: Annotated[
        int,
        typer.Option("--ef-construction", help="Number of candidates for the links of each vector.", min=4, max=1000),
    ] = 64,
    quantize: Annotated[
        Quantize | None,
        typer.Option(
            help="bit: the indexes have only the sign of each number, and searches compare more candidates. none: the "
            "indexes have the vectors. Default: no change."
        ),
    ] = None,
) -> None:
    """Build a model's indexes again beside the old ones, then drop the old ones. Searches continue during the build.

    With "--quantize bit" the indexes take less than a tenth of the memory, and a search takes longer. Indexes of 10,000
    vectors or more then have lists, so --m and --ef-construction do not apply. Build them again when "windowshop index
    status" advises a rebuild. "--quantize none" undoes this. See "Indexes over bits" in
    docs/search.md.

    Larger values of --m and --ef-construction give a higher recall and a longer build. "windowshop db upgrade"
    continues an interrupted build. Run "windowshop calibrate" afterwards.
    """
    from db.engine import open_database
    from db.settings import Settings
    from migrations.reindex import rebuild_indexes

    settings = Settings.read()
    with open_database(settings, on_progress=say) as database:
        file = rebuild_indexes(
            database, settings, model=model, m=m, ef_construction=ef_construction, quantize=quantize, on_progress=say
        )
    typer.echo(f"wrote {file}")
    typer.echo('The indexes are built. Run "windowshop calibrate" to adapt search to them.')


@app.command()
def warm() -> None:
    """Read the indexes and tables of search into memory, so that the first searches after a restart are fast.

    "windowshop db start", "windowshop up" and "windowshop serve" do the same. The database needs the extension
    pg_prewarm.
    """
    from db.engine import open_database
    from db.settings import Settings
    from windowshop.output.warming import describe

    with open_database(Settings.read(), on_progress=say) as database:
        warmed = warm_with_progress(database)
    for line in describe(warmed):
        typer.echo(line)


def warm_with_progress(database: "Database") -> "Warmed":
    from db import schema
    from db.lifecycle.warming import warm as read
    from windowshop.output.progress import progress_bar

    with database.connect(Role.ANALYST, read=True) as conn:
        schema.check(conn)
    with progress_bar("Reading into memory", 1.0) as bar:
        return read(database, on_progress=lambda name, share: bar.update(share, 1.0, name))
