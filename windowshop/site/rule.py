"""Defines the commands `windowshop rule add|import|list|show|set-live|set-draft|delete`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from windowshop.transaction import as_app

if TYPE_CHECKING:
    from db.search.rules import NewRule, Rule

app = typer.Typer(
    no_args_is_help=True,
    help="What searches do under a condition: pin, hide, boost, filter, replace, redirect. See docs/relevance.md.",
)

Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="The names of rules.")]
Of = Annotated[str, typer.Option("--catalog", help="The catalog of the rules.")]
_HINT = "See: windowshop rule list"


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="The rule's name, unique in its catalog. Results show this name.")],
    condition: Annotated[str, typer.Argument(help="When the rule applies, as JSON.")],
    action: Annotated[str, typer.Argument(help="What the rule does, as JSON.")],
    live: Annotated[bool, typer.Option("--live", help="Searches follow the rule at once. Default: a draft.")] = False,
    priority: Annotated[
        int,
        typer.Option(
            help="If several rules pin products at the same position, or give a new query, a redirect or a banner, "
            "only the rule with the highest number acts."
        ),
    ] = 0,
    valid_from: Annotated[
        str | None, typer.Option("--from", help='When the rule begins, such as "2026-12-01 08:00 Europe/Berlin".')
    ] = None,
    valid_to: Annotated[str | None, typer.Option("--to", help="When the rule ends.")] = None,
    catalog: Annotated[str, typer.Option(help="The catalog whose searches the rule changes.")] = "main",
) -> None:
    """Save a rule. A rule that cannot work is refused.

    Show the product A-17 first when somebody searches for backpacks:

        windowshop rule add launch '{"query": "backpack"}' '{"pin": "A-17", "at": 1}' --live

    Leave out refurbished products, and prefer a brand to others:

        windowshop rule add new '{"always": true}' '{"hide": {"condition": "refurbished"}}'

        windowshop rule add nord '{"contains": "leather"}' '{"boost": {"brand": "Nord"}, "factor": 1.5}'

    Search for something else, or send the shopper to a page:

        windowshop rule add words '{"query": "rucksack"}' '{"query": "backpack"}'

        windowshop rule add returns '{"similar": "send it back"}' '{"redirect": "/returns"}'

    Conditions: query, contains, similar (with threshold), filter, category, always.

    Actions: pin (with at), hide, boost and bury (with factor), filter, query, signals, redirect, banner.
    """
    from db.search import rules

    rule = rules.NewRule(
        name=name,
        condition=_json("CONDITION", condition),
        action=_json("ACTION", action),
        catalog=catalog,
        status="live" if live else "draft",
        priority=priority,
        valid_from=valid_from,
        valid_to=valid_to,
    )
    added = as_app(lambda conn: rules.add(conn, rule))
    typer.echo(
        f"Saved as a {added.status} rule." if live else f"Saved as a draft. To use it: windowshop rule set-live {name}"
    )


@app.command("import")
def import_rules(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, help='A file with the lines that "windowshop rule list --json" printed.'
        ),
    ],
) -> None:
    """Save the rules of a file, or none if one of them cannot work. A rule replaces the saved rule that has the same
    name and catalog:

    windowshop rule list --json > rules.jsonl

    windowshop rule import rules.jsonl
    """
    from db.search import rules

    found = [
        _read(line, f"{file}, line {number}")
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if line.strip()
    ]
    as_app(lambda conn: rules.save_all(conn, found))
    typer.echo(f"Saved {len(found):,} rule{'' if len(found) == 1 else 's'}.")


@app.command("list")
def list_rules(
    catalog: Annotated[str | None, typer.Option(help="List only the rules of this catalog.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each rule as a line of JSON.")] = False,
) -> None:
    """List the rules: name, status, condition, action, and limits such as the catalog."""
    from db.engine import open_database
    from db.roles import Role
    from db.search import rules
    from db.settings import Settings

    with open_database(Settings.read()) as database, database.connect(Role.ANALYST) as conn:
        after, any_found = 0, False
        while found := rules.read(conn, catalog, after=after):
            any_found, after = True, found[-1].rule_id
            for one in found:
                typer.echo(json.dumps(_fields(one), ensure_ascii=False) if as_json else _line(one))
    if not any_found and not as_json:
        typer.echo("There is no rule. See: windowshop rule add --help")


@app.command()
def show(name: Annotated[str, typer.Argument(help="The name of a rule.")], catalog: Of = "main") -> None:
    """Print a rule as JSON."""
    from db.errors import SettingsError
    from db.search import rules

    found = as_app(lambda conn: rules.find_named(conn, name, catalog))
    if found is None:
        raise SettingsError(f'there is no rule "{name}"', hint=_HINT)
    typer.echo(json.dumps(_fields(found), ensure_ascii=False, indent=2))


@app.command()
def set_live(names: Names, catalog: Of = "main") -> None:
    """Let searches follow rules. A rule that contradicts a live rule is refused."""
    _set_status(names, "live", catalog)


@app.command()
def set_draft(names: Names, catalog: Of = "main") -> None:
    """Turn rules into drafts, which searches do not follow."""
    _set_status(names, "draft", catalog)


@app.command()
def delete(names: Names, catalog: Of = "main") -> None:
    """Delete rules."""
    from db.search import rules

    def remove(conn: Any) -> None:
        _expect(names, rules.remove_named(conn, names, catalog))

    as_app(remove)
    typer.echo("Deleted.")


def _set_status(names: list[str], status: str, catalog: str) -> None:
    from db.search import rules

    def change(conn: Any) -> None:
        _expect(names, rules.set_status(conn, names, status, catalog))

    as_app(change)
    typer.echo(f"Now {'a draft' if status == 'draft' else 'live'}: {', '.join(names)}")


def _expect(names: list[str], found: set[str]) -> None:
    from db.errors import SettingsError

    if missing := [name for name in names if name not in found]:
        raise SettingsError(f'there is no rule "{missing[0]}"', hint=_HINT)  # rolls the transaction back


def _json(what: str, given: str) -> str:
    from db.errors import SettingsError

    try:
        json.loads(given)
    except ValueError as error:
        raise SettingsError(f"{what} is not JSON: {error}", hint="See: windowshop rule add --help") from None
    return given


def _read(line: str, where: str) -> "NewRule":
    from db.errors import SettingsError
    from db.search.rules import NewRule

    known = NewRule.__dataclass_fields__
    try:
        given = json.loads(line)
    except ValueError as error:
        given, wrong = {}, f"not JSON: {error}"
    else:
        if not isinstance(given, dict):
            given = {"": given}
        unknown = [key for key in given if key not in known]
        missing = [key for key in ("name", "condition", "action") if key not in given]
        wrong = f"there is no field {unknown[0]!r}" if unknown else f"{missing[0]} is missing" if missing else ""
    if wrong:
        raise SettingsError(f"{where}: {wrong}", hint="A line is an object, as windowshop rule list --json prints it.")
    return NewRule(**{**given, "condition": json.dumps(given["condition"]), "action": json.dumps(given["action"])})


def _fields(rule: "Rule") -> dict[str, Any]:
    return {
        "name": rule.name,
        "catalog": rule.catalog,
        "status": rule.status,
        "priority": rule.priority,
        "valid_from": rule.valid_from and rule.valid_from.isoformat(),
        "valid_to": rule.valid_to and rule.valid_to.isoformat(),
        "condition": json.loads(rule.condition),
        "action": json.loads(rule.action),
    }


def _line(rule: "Rule") -> str:
    limits = [
        text
        for text, shown in (
            (f"catalog {rule.catalog}", rule.catalog != "main"),
            (f"priority {rule.priority}", rule.priority != 0),
            (f"from {rule.valid_from:%Y-%m-%d %H:%M%z}" if rule.valid_from else "", rule.valid_from),
            (f"to {rule.valid_to:%Y-%m-%d %H:%M%z}" if rule.valid_to else "", rule.valid_to),
        )
        if shown
    ]
    return "\t".join((rule.name, rule.status, rule.condition, rule.action, ", ".join(limits)))
