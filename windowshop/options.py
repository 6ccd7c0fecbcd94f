"""Defines the options that several commands share."""

from typing import Annotated

import typer

from db.roles import Role

AsJson = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]
RoleOption = Annotated[Role | None, typer.Option(help="Connect as this role. Default: the administrator.")]
Suites = Annotated[
    list[str] | None,
    typer.Option("--suite", help="A suite of judgements; may be repeated. Default: the suite named default."),
]
RecallDepth = Annotated[int, typer.Option("--k", "-k", min=1, max=100, help="The k of recall@k.")]
