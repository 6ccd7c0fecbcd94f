"""Writes the table in benchmarks/README.md and the pages in results/ from the kept results, for `python -m benchmarks
report`."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.support import goals
from benchmarks.support.goals import Benchmark, Goal
from benchmarks.support.measured_code import digest
from benchmarks.support.report import RESULTS, Line, Result, Table, markdown, read

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- made by python -m benchmarks report -->", "<!-- end -->"


def pages() -> dict[Path, str]:
    """Returns the path and the text of each page."""
    results = {path.stem: read(path) for path in sorted(RESULTS.glob("*.json"))}
    made = {RESULTS / f"{name}.md": result.page() for name, result in results.items()}
    head, rest = README.read_text().split(BEGIN)
    _, tail = rest.split(END)
    return {**made, README: f"{head}{BEGIN}\n\n{_tables(results)}\n\n{END}{tail}"}


def write() -> None:
    for path, text in pages().items():
        path.write_text(text)


def line_of(goal: Goal, result: Result) -> Line:
    """Returns the line of the result that begins with the goal's `figure`. There must be only one such line."""
    (line,) = (line for line in result.lines if line.what.startswith(goal.figure))
    return line


def _tables(results: Mapping[str, Result]) -> str:
    cells = [row for benchmark in goals.read().values() for row in rows(benchmark, results)]
    text = markdown(Table("", ["figure", "goal", "measured", "why it is missed", "result, revision"], cells))
    for benchmark in goals.read().values():
        if benchmark.notes:
            text += ["", f"`{benchmark.name}`:", "", *(f"- {note}" for note in benchmark.notes)]
    return "\n".join(text)


def rows(benchmark: Benchmark, results: Mapping[str, Result]) -> Iterator[list[str]]:
    yield [f"**`{benchmark.name}`**: {benchmark.question}", "", "", "", ""]
    code = digest(benchmark.code)
    for goal in benchmark.goals:
        result = results.get(goal.result)
        if result is None:
            yield [goal.what, "", "not measured yet", goal.why, ""]
            continue
        line = line_of(goal, result)
        stale = "" if result.code == code else ", **stale**"
        yield [
            goal.what,
            line.goal,
            line.measured if line.met else f"{line.measured}, **missed**",
            goal.why,
            f"[{result.date}](results/{goal.result}.md), {result.revision or 'unknown'}{stale}",
        ]
