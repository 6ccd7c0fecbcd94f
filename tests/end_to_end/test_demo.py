"""The first commands that a newcomer runs, `windowshop demo` and `windowshop up`, work on a new embedded server.

By default, the sample is only a part of the real sample; see tests/support/loading.py. `make soak` also
runs the tests with the whole sample.
"""

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from db.embedded import server
from loader.sample import SampleSource
from tests.support.loading import part_of_the_sample, read_a_part_of_the_sample
from tests.support.processes import Command, nothing, says, wait_until, windowshop, windowshop_in_new_interpreter


@dataclass(frozen=True)
class Sample:
    products: int
    before: Callable[[], None]  # the process of a command calls this function first


@pytest.fixture(scope="module", params=["a part", pytest.param("the whole sample", marks=pytest.mark.soak)])
def sample(request: pytest.FixtureRequest) -> Sample:
    if request.param == "a part":
        return Sample(len(list(part_of_the_sample(SampleSource()))), read_a_part_of_the_sample)
    return Sample(1242, nothing)


@pytest.fixture(scope="module")
def home(public_folder: Path, server_home: Path, sample: Sample) -> Iterator[Path]:
    """Yields a new home folder that contains only the unpacked PostgreSQL binaries."""
    folder = public_folder / f"newcomer-{sample.products}"
    folder.mkdir()
    folder.chmod(0o755)
    subprocess.run(["cp", "-al", str(server_home / "postgres"), str(folder)], check=True)
    yield folder
    server.stop(folder, force=True)


@pytest.fixture(scope="module")
def env(home: Path) -> dict[str, str]:
    return {**os.environ, "WINDOWSHOP_HOME": str(home), "HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="module")
def first(env: dict[str, str], sample: Sample) -> "subprocess.CompletedProcess[str]":
    if sample.before is nothing:
        return windowshop_in_new_interpreter("demo", "--no-serve", env=env)
    return windowshop("demo", "--no-serve", env=env, before=sample.before)


def left_running(home: Path) -> list[str]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if str(home) in line:
            found.append(line)
    return found


def shown_address(log: Path) -> str:
    return log.read_text().split("The search page is at ")[1].split("/ ")[0].split("/,")[0]


def test_the_demo_shows_four_queries_with_their_sql_and_leaves_nothing_running(
    first: "subprocess.CompletedProcess[str]", home: Path, sample: Sample
) -> None:
    assert first.returncode == 0, first.stderr
    said = first.stdout
    assert f"{sample.products} products: {sample.products} new, 0 unchanged" in said
    assert said.count("\nFROM shop.search(query => ") == 2
    assert said.count("\nORDER BY image_embedding <=> (SELECT shop.clip_text(") == 1
    assert said.count("\nFROM shop.search(image => ") == 1
    assert "windowshop up" in said
    assert "windowshop catalog drop sample" in said
    commands = [line for line in said.split("Go on:")[1].splitlines() if line]
    assert max(map(len, commands)) <= 80
    assert "windowshop db psql --role analyst" in said
    assert "The search page is at" not in said
    assert "Traceback" not in first.stderr
    wait_until(lambda: not left_running(home), 60, "the end of every process")


def test_the_demo_finds_products_of_the_kind_that_the_query_names(first: "subprocess.CompletedProcess[str]") -> None:
    _, chair, cup, shoes, guitar = first.stdout.split("\nSELECT sku")
    assert "Chair" in chair
    assert re.search("(?i)cup|mug|glass|drink|tea|milk", cup.split("LIMIT")[1])
    assert re.search("(?i)shoe", shoes.split("k => 5")[1])
    assert guitar.count("uitar") >= 3


@pytest.mark.parametrize(
    ("number", "port_in_use", "keep"),
    [pytest.param(signal.SIGTERM, False, False, marks=pytest.mark.soak), (signal.SIGINT, True, True)],
)
def test_a_second_demo_encodes_no_product_and_serves_the_page_until_a_signal(
    first: "subprocess.CompletedProcess[str]",
    env: dict[str, str],
    home: Path,
    sample: Sample,
    tmp_path: Path,
    number: signal.Signals,
    port_in_use: bool,
    keep: bool,
) -> None:
    log = tmp_path / "demo.log"
    last = (
        "select max(encoded_at) from (select encoded_at from shop.starter_image "
        "union all select encoded_at from shop.starter_title)"
    )
    before = windowshop("db", "psql", "-At", "-c", last, env=env).stdout
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1] if port_in_use else 0)
        ports = {"WINDOWSHOP_WEB_PORT": port, "WINDOWSHOP_WEB_METRICS_PORT": "null"}
        options = ("--keep",) if keep else ()
        process = Command("demo", *options, env=env | ports, output=log, errors=log, before=sample.before)
        try:
            wait_until(
                lambda: says(log, "The search page is at") or process.poll() is not None,
                120,
                "the address of the page",
            )
            assert (f"cannot listen at 127.0.0.1:{port}" in log.read_text()) is port_in_use
            ready = httpx.get(f"{shown_address(log)}/ready", timeout=60).json()
            assert (ready["status"], ready["encoder"]["running"]) == ("ready", True)
            assert "windowshop db psql --role analyst" in log.read_text()
        finally:
            process.send_signal(number)
        assert process.wait(60) == 0, log.read_text()
    assert "Traceback" not in log.read_text()
    assert f"0 new, {sample.products} unchanged" in log.read_text()
    if keep:
        assert server.status(home).kept
    else:
        wait_until(lambda: not left_running(home), 60, "the end of every process")
    assert windowshop("db", "psql", "-At", "-c", last, env=env).stdout == before
    if keep:
        assert windowshop("db", "stop", env=env).returncode == 0
    wait_until(lambda: not left_running(home), 60, "the end of every process")


def test_the_command_up_serves_sql_and_rest_until_a_signal_stops_the_process(
    first: "subprocess.CompletedProcess[str]", env: dict[str, str], home: Path, sample: Sample, tmp_path: Path
) -> None:
    log = tmp_path / "up.log"
    ports = {"WINDOWSHOP_WEB_METRICS_PORT": "null"}
    options = ("--host", "127.0.0.1", "--port", "0")
    process = Command("up", *options, env=env | ports, output=log, errors=log)
    try:
        wait_until(
            lambda: says(log, "encoder is ready") or process.poll() is not None,
            60,
            "the encoder of windowshop up",
        )
        query = (
            "select title from shop.searchable where price < 500 "
            "order by image_embedding <=> (select shop.clip_text('a drum to play')) limit 5"
        )
        found = windowshop("db", "psql", "--role", "analyst", "-At", "-c", query, env=env)
        assert "rum" in found.stdout, found.stderr
        for options in (("--where", "price < 500"), ("--catalog", "sample"), ()):
            searched = windowshop("search", "a drum to play", *options, env=env)
            assert "rum" in searched.stdout, searched.stderr
        address = shown_address(log)
        answer = httpx.post(
            f"{address}/search/text", json={"query": "a drum to play", "top_k": 5, "catalog": "sample"}, timeout=60
        ).json()
        assert "rum" in str([result["title"] for result in answer["results"]])
        assert answer["degraded"] is False
        shown = httpx.get(
            address + answer["results"][0]["picture"]["url"], params={"position": 0, "size": 64}, timeout=60
        )
        assert shown.headers["content-type"] == "image/webp"
        page = httpx.get(f"{address}/", timeout=60).text
        assert f"{sample.products:,} products" in page
        assert 'name="catalog" value="sample"' in page
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0, log.read_text()
    wait_until(lambda: not left_running(home), 60, "the end of every process")


def test_catalog_drop_removes_the_products_and_vectors_and_the_image_root_of_the_sample(
    first: "subprocess.CompletedProcess[str]", env: dict[str, str], home: Path, sample: Sample
) -> None:
    assert [one["catalog"] for one in json.loads(windowshop("catalog", "list", "--json", env=env).stdout)] == ["sample"]
    dropped = windowshop("catalog", "drop", "sample", "--yes", env=env)
    assert f"Catalog sample is deleted, with {sample.products:,} products." in dropped.stdout, dropped.stderr
    assert json.loads(windowshop("catalog", "list", "--json", env=env).stdout) == []
    remaining = windowshop(
        "db", "psql", "-At", "-c", "select (select count(*) from shop.starter_image), "
        "(select count(*) from shop.starter_title), (select count(*) from shop_private.image_root)", env=env,
    )  # fmt: skip
    assert remaining.stdout.strip() == "0|0|0"
