"""Each example of docs/api.md that sends a request can be run. If the page shows its output, the example prints this
output. The page lists every route."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.databases import Databases
from tests.support.web_service import ROUTES, SETTINGS, answering, served

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```(sh|python|js)\n(.*?)```(?:\n```text\n(.*?)```)?", re.DOTALL)
EXAMPLES = [match for match in BLOCK.findall(PAGE) if "http://" in match[1] and "windowshop serve" not in match[1]]
LANGUAGES = {
    "sh": ("bash", "-euc"),
    "python": (sys.executable, "-c"),
    "js": ("node", "--input-type=module", "-e"),
}


@pytest.fixture(scope="module")
def service(databases: Databases, shop_template: str) -> Iterator[httpx.Client]:
    database = databases.copy(shop_template)
    with database.connect(None) as conn, conn.begin():  # what-if searches with judged queries
        conn.exec_driver_sql("insert into shop.judgement (query, sku) values ('bag', 'sku 1')")
    with answering(database), served(database, SETTINGS) as client:
        yield client


@pytest.mark.parametrize(
    ("language", "code", "output"), EXAMPLES, ids=[f"{n} {match[0]}" for n, match in enumerate(EXAMPLES, 1)]
)
def test_an_example_of_the_page_runs_and_prints_the_output_if_the_page_shows_one(
    service: httpx.Client, image_folder: Path, tmp_path: Path, language: str, code: str, output: str
) -> None:
    command = LANGUAGES[language]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    shutil.copy(image_folder / "3.png", tmp_path / "photo.jpg")
    address = str(service.base_url).rstrip("/")
    code = code.replace("http://127.0.0.1:8000", address).replace("curl -s", "curl -s --fail-with-body")
    done = subprocess.run([*command, code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=30)
    if '"status":4' not in output:
        assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() or "DELETE" in code
    if output:
        assert done.stdout.strip() == output.strip()


def test_examples_are_in_three_languages() -> None:
    assert {language for language, _, _ in EXAMPLES} == set(LANGUAGES)


def test_the_page_lists_every_route() -> None:
    for path, route in ROUTES:
        path = re.sub(r":\w+", "", path).replace("{product_id}", "{id}")
        assert f"`{min(route.http_methods)} {path}`" in PAGE
