"""`python -m benchmarks`: all of them; `python -m benchmarks queries`: one."""

import typer

from benchmarks.search.command import search

app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True)
def every(context: typer.Context) -> None:
    """Measure, print, and keep the figures in benchmarks/results/."""
    if context.invoked_subcommand is None:
        for one in (queries, encoding, memory, command, quality, search):
            one()


@app.command()
def queries() -> None:
    """Encoding a text inside SQL."""
    from benchmarks import queries

    queries.run()


@app.command()
def encoding() -> None:
    """The catalog lane."""
    from benchmarks import encoding

    encoding.run()


@app.command()
def memory() -> None:
    """The encoder's memory."""
    from benchmarks import encoding

    encoding.memory()


@app.command()
def command() -> None:
    """`windowshop search` as a whole process."""
    from benchmarks import command

    command.run()


@app.command()
def quality() -> None:
    """What search finds of concepts the model never saw."""
    from benchmarks import quality

    quality.run()


app.command()(search)
app()
