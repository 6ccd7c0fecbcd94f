"""docs/scale.md has the tables that benchmarks/scale.py computes. The computed values are near the measured ones."""

from pathlib import Path

import pytest

from benchmarks import scale
from benchmarks.support.report import RESULTS, markdown, read
from db.lifecycle.sizing import hnsw_bytes


@pytest.mark.parametrize("name", ["needs", "checked"])
def test_the_page_has_the_computed_tables(name: str) -> None:
    page = scale.PAGE.read_text(encoding="utf-8")
    after = page.partition(f"<!-- made by python -m benchmarks scale: {name} -->")[2]
    written = after.partition("<!-- end -->")[0].strip().splitlines()
    assert written == markdown(scale.tables()[name]), 'run "python -m benchmarks scale"'


@pytest.mark.parametrize("one", scale.MEASURED)
def test_the_computed_size_and_time_of_an_index_are_near_the_measured_values(one: scale.Measured) -> None:
    if one.size is not None:
        assert hnsw_bytes(one.rows, scale.DIMENSION, one.m) == pytest.approx(one.size, rel=0.02)
    if one.seconds is not None:
        assert scale.build_seconds(one.rows, one.m, one.ef_construction) == pytest.approx(one.seconds, rel=0.15)


def test_the_computed_size_of_tables_and_time_of_searches_are_near_the_measured_values() -> None:
    rows, size = scale.MEASURED_TABLES
    assert scale.table_bytes(rows, product=scale.SHORT_PRODUCT) == pytest.approx(size, rel=0.03)
    for products, milliseconds in scale.MEASURED_MS:
        assert scale.search_ms(products) == pytest.approx(milliseconds, rel=0.05)


def test_more_searches_a_second_never_need_fewer_servers() -> None:
    one = scale.estimate(10_000_000)
    needed = [one.servers(searches) for searches in (1, 100, 125, 1_000)]
    assert needed == sorted(needed) and needed[0] == 1 and needed[-1] > needed[1]


def test_the_rates_of_encoders_are_those_of_the_stored_results() -> None:
    figures = {name: read(Path(RESULTS) / f"{name}.json").lines for name in RATES}
    for name, (what, rate) in RATES.items():
        [shown] = [line.measured for line in figures[name] if line.what.startswith(what)]
        assert f"{rate:,}" in shown


RATES = {
    "encoding": ("catalog lane, 1242 images", scale.CPU_IMAGES),
    "images_nvidia_h100_80gb_hbm3_500": ("end to end, images/s", scale.GPU_IMAGES),
}
