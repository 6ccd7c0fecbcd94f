"""Reads goals.toml, which has the question of each benchmark, the code that the benchmark measures, its goals, the
reason for each missed goal, and notes."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

GOALS = Path(__file__).parents[1] / "goals.toml"


@dataclass(frozen=True)
class Goal:
    """`figure` is the beginning of one line of the result. That line has the bound of the goal and the measured
    value."""

    result: str
    figure: str
    what: str
    why: str = ""  # the reason why the goal is missed; empty if the goal is met


@dataclass(frozen=True)
class Benchmark:
    name: str
    question: str
    code: Sequence[str]  # files and folders; a result is stale once a file in `code` has changed
    goals: Sequence[Goal]
    notes: Sequence[str] = ()


def read() -> Mapping[str, Benchmark]:
    return {
        name: Benchmark(
            name, told["question"], told["code"], [Goal(**goal) for goal in told["goal"]], told.get("notes", ())
        )
        for name, told in tomllib.loads(GOALS.read_text()).items()
    }


def benchmark_of(result: str) -> Benchmark:
    """Returns the benchmark that writes `result`. The name of a result begins with the name of its benchmark: the
    benchmark `search` writes `search_filtered`."""
    for name, benchmark in read().items():
        if result == name or result.startswith(f"{name}_"):
            return benchmark
    raise LookupError(f"benchmarks/goals.toml has no benchmark that writes {result}.json")
