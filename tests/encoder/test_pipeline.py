"""Each batch passes each stage of a pipeline at most once. An error in a stage ends the other stages and is raised."""

import threading
import time
from collections.abc import Iterator

import pytest

from encoder.lanes.pipeline import Pipeline, Stage


@pytest.mark.parametrize("threads", [1, 3])
def test_every_batch_passes_every_stage_exactly_once(threads: int) -> None:
    written: list[int] = []
    pipeline = Pipeline()
    stages = [Stage("model", lambda number: number * 2, threads), Stage("write", written.append)]
    pipeline.run("read", iter(range(100)), stages)
    assert sorted(written) == [number * 2 for number in range(100)]
    assert pipeline.timer.wall > 0


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("stage", ["read", "model", "write"])
def test_an_error_in_any_stage_stops_the_other_stages_and_is_raised(stage: str, threads: int) -> None:
    def reader() -> Iterator[int]:
        for number in range(10_000):
            fail("read", number)
            yield number

    def fail(here: str, number: int) -> int:
        if here == stage and number == 5:
            raise ValueError(here)
        return number

    stages = [Stage("model", lambda n: fail("model", n), threads), Stage("write", lambda n: fail("write", n))]
    before = set(threading.enumerate())
    with pytest.raises(ValueError, match=stage):
        Pipeline().run("read", reader(), stages)
    assert set(threading.enumerate()) <= before


def test_a_batch_for_which_a_stage_returns_none_skips_the_later_stages() -> None:
    written: list[int] = []
    stages = [Stage("open", lambda n: n if n % 2 else None, 2), Stage("write", written.append)]
    Pipeline().run("read", iter(range(20)), stages)
    assert sorted(written) == list(range(1, 20, 2))


def test_a_reader_is_at_most_eight_batches_ahead_of_a_slow_writer() -> None:
    ahead = 0
    written: list[int] = []

    def reader() -> Iterator[int]:
        nonlocal ahead
        for number in range(30):
            ahead = max(ahead, number - len(written))
            yield number

    def write(number: int) -> None:
        time.sleep(0.005)
        written.append(number)

    Pipeline(depth=2).run("read", reader(), [Stage("model", lambda number: number), Stage("write", write)])
    assert len(written) == 30
    assert ahead <= 8


def test_stages_overlap_and_the_timer_measures_each_stage() -> None:
    def slow(seconds: float) -> None:
        time.sleep(seconds)

    def reader() -> Iterator[int]:
        for number in range(10):
            slow(0.02)
            yield number

    pipeline = Pipeline()
    pipeline.run("read", reader(), [Stage("model", lambda n: slow(0.04) or n), Stage("write", lambda _: slow(0.01))])
    busy = pipeline.timer.busy
    assert busy["write"] < busy["read"] < busy["model"]
    assert pipeline.timer.wall < sum(busy.values())
