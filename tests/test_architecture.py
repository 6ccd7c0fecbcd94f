"""Source files follow rules for imports, sizes and names."""

import ast
import gc
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("db", "encoder", "loader", "migrations", "web", "windowshop")
FOLDERS = (*PACKAGES, "tests", "benchmarks")
REVISIONS = ROOT / "migrations" / "versions"  # the rules do not apply to revisions, because their code never changes

MAX_FILE_LINES = 350
MAX_FUNCTION_LINES = 80
MAX_FOLDER_FILES = 20


Function = ast.FunctionDef | ast.AsyncFunctionDef


def source_files(*suffixes: str, folders: tuple[str, ...] = FOLDERS) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in suffixes and not path.is_relative_to(REVISIONS):
                yield path


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def syntax(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module", autouse=True)
def _without_garbage_collection() -> Iterator[None]:
    """Garbage collections would visit all kept syntax trees, which takes three times as long as the parsing."""
    gc.disable()
    yield
    syntax.cache_clear()
    gc.enable()


@pytest.mark.parametrize("folder", ["clients", "deploy"])
def test_each_file_in_tests_clients_and_tests_deploy_has_the_mark_of_its_folder(folder: str) -> None:
    """`make test` leaves these folders out, and also the tests in other folders that have one of these marks."""
    files = sorted((ROOT / "tests" / folder).rglob("test_*.py"))
    assert files
    for path in files:
        assert re.search(rf"^pytestmark = .*pytest\.mark\.{folder}\b", path.read_text(), re.MULTILINE), name(path)


# --- imports


def test_imports_follow_the_contracts() -> None:
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def imported_of(libraries: tuple[str, ...], statement: str) -> str:
    """Runs the statement in a new interpreter. Returns those of the libraries that the statement loads."""
    code = f"import sys; {statement}; print([name for name in {libraries!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("module", ["windowshop.main", "db", "loader", "encoder", "migrations", "web"])
def test_importing_a_package_loads_no_heavy_library(module: str) -> None:
    heavy = ("torch", "transformers", "sentence_transformers", "PIL", "pandas", "alembic")
    assert imported_of(heavy, f"import {module}") == "[]"


def test_db_needs_httpx_and_pillow_only_for_fetching_and_images() -> None:
    """An installation without the extras `encoder` and `web` can import db except db.fetching and db.images."""
    modules = [
        name(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for path in source_files(".py", folders=("db",))
    ]
    others = [module for module in modules if not module.startswith(("db.fetching", "db.images"))]
    assert 30 < len(others) < len(modules)
    assert imported_of(("httpx", "httpx2", "PIL", "imagehash"), f"import {', '.join(others)}") == "[]"


def test_the_settings_of_all_processes_are_read_without_the_libraries_of_the_extras() -> None:
    """Every command reads the settings, also in an installation without the extra `encoder` or `web`."""
    extras = ("httpx2", "httpcore2", "fsspec", "tenacity", "torch", "PIL", "litestar", "uvicorn")
    assert imported_of(extras, "from windowshop.settings import classes; classes()") == "[]"


# --- sizes


def test_a_source_file_has_at_most_350_lines() -> None:
    lines = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in source_files(".py", ".sql")}
    long = {file: count for file, count in lines.items() if count > MAX_FILE_LINES}
    assert set(long) == set(), long


def test_a_python_function_has_at_most_80_lines() -> None:
    lines = {
        f"{name(path)}:{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in source_files(".py")
        for node in ast.walk(syntax(path))
        if isinstance(node, Function)
    }
    long = {function: count for function, count in lines.items() if count > MAX_FUNCTION_LINES}
    assert set(long) == set(), long


def test_a_folder_has_at_most_20_source_files() -> None:
    files = Counter(name(path.parent) for path in source_files(".py", ".sql"))
    assert {folder: count for folder, count in files.items() if count > MAX_FOLDER_FILES} == {}


# --- names


def test_no_module_has_a_vague_name() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "lib"}
    assert [name(path) for path in source_files(".py", ".sql") if vague & {path.stem, path.parent.name}] == []


def test_no_two_public_classes_share_a_name() -> None:
    places = defaultdict(list)
    for path in source_files(".py", folders=PACKAGES):
        for node in ast.walk(syntax(path)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(name(path))
    assert {class_: files for class_, files in places.items() if len(files) > 1} == {}


def test_only_ranking_py_calls_shop_search() -> None:
    """A single caller keeps the options of shop.search in one place. statement.py only writes the text of a call, which
    `--sql` prints."""
    callers = {
        name(path)
        for path in source_files(".py", folders=PACKAGES)
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search(r"\bshop\.search\(", node.value)
    }
    assert callers == {"db/search/ranking.py", "db/search/statement.py"}
