"""benchmarks/README.md, benchmarks/results/*.md and goals.toml agree with the stored results and with the code."""

from pathlib import Path

import pytest

from benchmarks.support import goals, page
from benchmarks.support.goals import Benchmark, Goal
from benchmarks.support.measured_code import digest, revision
from benchmarks.support.report import RESULTS, Line, Result, keep, read

BENCHMARKS = goals.read()
KEPT = {path.stem: read(path) for path in RESULTS.glob("*.json")}


def test_every_page_equals_the_output_of_the_report_command() -> None:
    written = page.pages()

    assert set(RESULTS.glob("*.md")) < set(written)
    for path, text in written.items():
        assert path.read_text() == text, f"{path.name} is out of date: python -m benchmarks report"


@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=lambda benchmark: benchmark.name)
def test_a_goal_has_an_explanation_if_and_only_if_it_is_missed(benchmark: Benchmark) -> None:
    for goal in benchmark.goals:
        if goal.result not in KEPT:
            assert "not measured yet" in {cell for row in page.rows(benchmark, KEPT) for cell in row}
            continue
        assert bool(goal.why) == (page.line_of(goal, KEPT[goal.result]).met is False), goal.what


def test_goals_toml_names_every_result_line_that_has_a_goal_exactly_once() -> None:
    listed = [
        (goal.result, page.line_of(goal, KEPT[goal.result]).what)
        for benchmark in BENCHMARKS.values()
        for goal in benchmark.goals
        if goal.result in KEPT
    ]
    measured = [(name, line.what) for name, result in KEPT.items() for line in result.lines if line.goal]

    assert sorted(listed) == sorted(measured)
    assert {name: goals.benchmark_of(name).name for name, _ in listed} == {
        goal.result: benchmark.name
        for benchmark in BENCHMARKS.values()
        for goal in benchmark.goals
        if goal.result in KEPT
    }


def test_the_code_digest_changes_with_a_source_file_and_not_with_a_compiled_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "room").mkdir()
    file = tmp_path / "room" / "leg.sql"
    file.write_text("select 1;")
    before = digest(["room"], tmp_path)
    (tmp_path / "room" / "leg.pyc").write_text("cache")
    assert digest(["room"], tmp_path) == before

    file.write_text("select 2;")
    assert digest(["room"], tmp_path) != before
    with pytest.raises(FileNotFoundError, match="gone"):
        digest(["gone"], tmp_path)


def test_the_page_marks_a_result_as_stale_or_shows_its_date_and_revision(tmp_path: Path) -> None:
    benchmark = Benchmark("command", "How long?", ["windowshop"], [Goal("command", "whole", "process")])
    keep("command", "Search", [Line("whole process", "1 s", "<= 1 s", True)], {}, folder=tmp_path)
    fresh = read(tmp_path / "command.json")
    assert fresh.revision == revision()
    assert fresh.code == digest(goals.benchmark_of("command").code)

    assert "stale" in _last_cell(benchmark, fresh)
    benchmark = BENCHMARKS["command"]
    assert _last_cell(benchmark, fresh) == f"[{fresh.date}](results/command.md), {fresh.revision or 'unknown'}"


def _last_cell(benchmark: Benchmark, result: Result) -> str:
    _, (*_, last) = page.rows(benchmark, {"command": result})
    return last
