"""Defines the commands `windowshop encode` and `windowshop retry`."""

from typing import Annotated

import typer

from windowshop.output.terminal import say


def encode(
    once: Annotated[bool, typer.Option("--once", help="Encode the waiting items, print a summary, exit.")] = False,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="Only this model (repeatable). Default: all models that are not retired."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda, cuda:1, mps. Default: WINDOWSHOP_ENCODER_DEVICE.")
    ] = None,
    queries: Annotated[bool, typer.Option(help="Also encode query texts and images.")] = True,
    again: Annotated[
        bool,
        typer.Option("--again", help="Encode again the products that already have vectors. Then exit, as with --once."),
    ] = False,
    catalog: Annotated[str | None, typer.Option(help="With --again: only products of this catalog.")] = None,
    where: Annotated[
        str | None,
        typer.Option(help="With --again: only products that meet this SQL condition: \"brand = 'Acme'\"."),
    ] = None,
) -> None:
    """Run an encoder. It encodes queries as soon as they arrive, and the catalog at the same time.

    Several encoders share the work, on any machines that reach the database. After Ctrl-C or SIGTERM, an encoder
    finishes its current batches and puts its other claimed items back on the work list.
    """
    from db.engine import open_database
    from db.errors import SettingsError
    from db.settings import Settings
    from db.work.again import encode_again
    from encoder.probes import Probes
    from encoder.settings import EncoderSettings
    from windowshop.output.progress import waiting

    if (catalog or where) and not again:
        raise SettingsError("--catalog and --where work only with --again", hint="Add --again.")
    settings = EncoderSettings.read()
    if device:
        settings = settings.model_copy(update={"device": device})
    probes = Probes()
    with probes.serving(settings) as address, open_database(Settings.read(), on_progress=say) as database:
        if address:
            say(f"Probes and metrics: {address}/ready, {address}/metrics")
        with waiting("Loading the model"):
            from encoder.service import load_models  # loads torch, which takes seconds
            from windowshop.output.encoding import encode_with_progress

            models = load_models(database, settings, model)
        if again:
            count = encode_again(database, list(models), catalog, where)
            say(f"{count} titles and images are on the work list again.")
        encode_with_progress(
            database, models, settings, once=once or again, queries=queries, follow=not model, probes=probes
        )


def retry(
    catalog: Annotated[str | None, typer.Option(help="Only items of this catalog. Default: all catalogs.")] = None,
    host: Annotated[
        str | None, typer.Option(help="Only images of this host, such as cdn.example or cdn.example:8080.")
    ] = None,
) -> None:
    """Put quarantined items on the work list again, after their errors are corrected. The view shop.quarantine
    lists the items and their errors.

    Images that wait because their host does not answer (see shop.failing_host) are also fetched again immediately.
    """
    from db import schema
    from db.engine import open_database
    from db.pooler import refuse_transaction_pooler
    from db.roles import Role
    from db.settings import Settings
    from db.work import items as work

    with open_database(Settings.read()) as database:
        refuse_transaction_pooler(database, Role.ENCODER, "a retry")
        with database.connect(Role.ENCODER) as conn:
            schema.check(conn)
            listed = sum(work.retry(conn, row.model_id, catalog, host) for row in work.models(conn))
            conn.commit()
    typer.echo(f"{listed} items now wait for an encoder.")
