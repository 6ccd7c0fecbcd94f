"""Defines the command `windowshop what-if`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from windowshop.options import AsJson
from windowshop.transaction import as_app

if TYPE_CHECKING:
    from db.evaluation.what_if import Answer, Quality


def what_if(
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="CHANGE...", help="Changes, each a JSON object.", show_default=False)
    ] = None,
    file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A file with a JSON array of changes.")
    ] = None,
    suite: Annotated[str, typer.Option(help="The suite of judged queries that are searched.")] = "default",
    k: Annotated[int, typer.Option("--k", "-k", min=1, max=100, help="The number of products of a page.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Show the effect of the given changes on the searches of judged queries. The changes are made, and taken back.

    \b
    windowshop what-if '{"synonym": {"terms": ["backpack", "rucksack"]}}'
    windowshop what-if '{"signal": {"name": "stock", "weight": 0.3}}' --suite weekly
    windowshop what-if '{"products": {"filter": {"brand": "Nord"}, "price_factor": 0.9}}'
    windowshop what-if --file changes.json --json

    Kinds of changes: rule, remove_rule, synonym, remove_synonym, weights, signal, products. See docs/relevance.md.
    """
    from dataclasses import asdict

    from db.evaluation import what_if as asking

    given = _read(changes or [], file)
    answer = as_app(lambda conn: asking.ask(conn, given, suite=suite, k=k))
    if as_json:
        typer.echo(json.dumps(asdict(answer), ensure_ascii=False, indent=2))
    else:
        _print(answer, k)


def _read(changes: list[str], file: Path | None) -> str:
    from db.errors import SettingsError
    from db.strict_json import parse

    found: list[Any] = []
    written = [(change, f"the change {change[:80]!r}") for change in changes]
    if file is not None:
        written.append((file.read_text(encoding="utf-8"), str(file)))
    for each, where in written:
        try:
            parsed = parse(each)
        except ValueError as error:
            raise SettingsError(f"{where} is not accepted: {error}", hint="See: windowshop what-if --help") from None
        found += parsed if isinstance(parsed, list) else [parsed]
    if not found:
        raise SettingsError("there is no change", hint="See: windowshop what-if --help")
    return json.dumps(found)


def _print(answer: "Answer", k: int) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from windowshop.output.terminal import plain

    console = Console()
    console.print(
        f"{answer.changed:,} of {answer.queries:,} queries would get a different first page. Means of the "
        f"{answer.judged:,} queries with a relevant product: nDCG@10 {_figures(answer.quality)}, recall@{k} "
        f"{_change(answer.quality.recall_before, answer.quality.recall_after)}.",
        highlight=False,
    )
    if not answer.pages:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("query", "nDCG@10", "entered", "gone", "moved"):
        table.add_column(column, overflow="fold")
    for page in answer.pages:
        skus = (", ".join(each) for each in (page.entered, page.gone, page.moved))
        table.add_row(*(plain(each) for each in (page.query, _figures(page.quality), *skus)))
    console.print(table)


def _figures(quality: "Quality") -> str:
    return _change(quality.ndcg_before, quality.ndcg_after)


def _change(before: float | None, after: float | None) -> str:
    return "not judged" if before is None or after is None else f"{before:.3f} -> {after:.3f}"
