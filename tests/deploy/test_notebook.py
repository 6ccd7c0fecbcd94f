"""The notebook runs from its first to its last cell, and is committed without outputs."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from db.engine import Database
from db.settings import Settings
from loader.ingest import LoadOptions, ingest
from loader.sample import CATALOG, SampleSource
from tests.support.compose.files import ROOT
from tests.support.databases import admin
from tests.support.processes import running_encoder, wait_until
from windowshop.model import ensure_a_model_serves

pytestmark = pytest.mark.deploy

NOTEBOOK = ROOT / "notebooks" / "experimentation.ipynb"
PRODUCTS = 40


def test_the_notebook_has_no_outputs() -> None:
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    assert len(cells) > 5
    assert [cell for cell in cells if cell["outputs"] or cell["execution_count"] is not None] == []


@pytest.mark.soak
def test_the_notebook_runs(
    database: Database,
    settings: Settings,
    environment: Callable[[Database], dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    ensure_a_model_serves(database, settings)
    ingest(database, SampleSource(), LoadOptions(CATALOG))
    left = f"select sku from shop.product where catalog = '{CATALOG}' order by sku limit {PRODUCTS}"
    admin(database, f"delete from shop.product where catalog = '{CATALOG}' and sku not in ({left})")
    variables = environment(database)
    with running_encoder(variables, tmp_path / "encoder.log"):
        wait_until(
            lambda: admin(database, "select count(*) from shop.searchable")[0][0] == PRODUCTS, 300, "encoded products"
        )
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    tables = [output.data["text/html"] for output in shown if "data" in output]
    assert len(tables) >= 6
    assert sum("<img" in one for one in tables) == 2
