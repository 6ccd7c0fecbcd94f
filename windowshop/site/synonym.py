"""Defines the commands `windowshop synonym add|list|remove`."""

from typing import Annotated, Any

import typer

from windowshop.transaction import as_app

app = typer.Typer(no_args_is_help=True, help="Terms that mean the same in searches. See docs/relevance.md.")


@app.command()
def add(
    terms: Annotated[list[str], typer.Argument(help="The terms, each of 1 to 5 words.")],
    from_term: Annotated[
        str | None, typer.Option("--from", help="A search for this term finds the others, but not the other way round.")
    ] = None,
    catalog: Annotated[
        str | None, typer.Option(help="The catalog whose searches use the synonym. Default: every catalog.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="The language of the catalog, such as german. Default: every language.")
    ] = None,
) -> None:
    """Add terms that mean the same. Searches use them at once:

    windowshop synonym add sneakers trainers "running shoes"

    windowshop synonym add jeans trousers --from pants
    """
    from db.search import synonyms

    added = as_app(lambda conn: synonyms.add(conn, terms, from_term, catalog=catalog, language=language))
    typer.echo(f"Synonym {added.synonym_id}: {_shown(added)}")


@app.command("list")
def list_synonyms(
    catalog: Annotated[
        str | None, typer.Option(help="List only the synonyms of this catalog and those of every catalog.")
    ] = None,
) -> None:
    """List the synonyms."""
    from db.engine import open_database
    from db.roles import Role
    from db.search import synonyms
    from db.settings import Settings

    with open_database(Settings.read()) as database, database.connect(Role.ANALYST) as conn:
        after, any_found = 0, False
        while found := synonyms.read(conn, catalog, after=after):
            any_found, after = True, found[-1].synonym_id
            for one in found:
                typer.echo(f"{one.synonym_id}\t{_shown(one)}")
    if not any_found:
        typer.echo("There is no synonym. See: windowshop synonym add --help")


@app.command()
def remove(synonym_id: Annotated[int, typer.Argument(help="The number that `synonym list` shows.")]) -> None:
    """Remove a synonym."""
    from db.errors import SettingsError
    from db.search import synonyms

    if not as_app(lambda conn: synonyms.remove(conn, synonym_id)):
        raise SettingsError(f"there is no synonym {synonym_id}", hint="See: windowshop synonym list")
    typer.echo("Removed.")


def _shown(one: Any) -> str:
    limits = [part for part in (one.catalog and f"catalog {one.catalog}", one.language) if part]
    terms = ", ".join(one.terms)
    return (terms if one.from_term is None else f"{one.from_term} -> {terms}") + (
        f" ({', '.join(limits)})" if limits else ""
    )
