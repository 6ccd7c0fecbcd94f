"""`python -m benchmarks`: all of them; `python -m benchmarks queries`: one."""

from typing import Annotated

import typer

from benchmarks import command, encoding, queries

BENCHMARKS = {"queries": queries.run, "encoding": encoding.run, "memory": encoding.memory, "command": command.run}


def main(names: Annotated[list[str] | None, typer.Argument(help=", ".join(BENCHMARKS))] = None) -> None:
    """Measure, print, and keep the figures in benchmarks/results/."""
    for name in names or BENCHMARKS:
        if name not in BENCHMARKS:
            raise typer.BadParameter(f"{name}: one of {', '.join(BENCHMARKS)}")
        BENCHMARKS[name]()


typer.run(main)
