"""Builds the wheel, installs it in a new environment and uses Windowshop there. `make wheel` runs this file.

The new environment imports third-party packages from the current environment, because a .pth file adds the current
site-packages folder to the search path of the new environment. An editable installation of Windowshop in that folder is
not imported, because Python ignores .pth files in a folder that another .pth file adds.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("db", "encoder", "loader", "migrations", "web", "windowshop")
EXCLUDED = "encoder/starter/pairs"  # the training data of the starter model
NEEDED = (
    "db/functions/**/*.sql",
    "migrations/script.py.mako",
    "migrations/alembic.ini",
    "migrations/versions/*.py",
    "loader/sample/*.csv",
    "loader/sample/images/*",
    "encoder/starter/head.safetensors",
    "encoder/starter/golden.json",
    "web/page/static/*",
    "web/page/templates/*.html",
)
SETUPTOOLS = 77  # the first major version of setuptools that supports license expressions


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="windowshop-wheel-") as folder:
        base = Path(folder)
        base.chmod(0o755)  # root starts the embedded server as another user, who must be able to read this folder
        wheel = build(base)
        check_contents(wheel)
        environment = install(wheel, base / "environment")
        use(environment, base)
    print("The wheel works.")


def build(base: Path) -> Path:
    """Builds the wheel from a copy of the source. A build in the source tree would leave a build folder there, and the
    next build would pack old files of that folder."""
    source, dist = base / "source", base / "dist"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(dist), str(source)]
    if int(metadata.version("setuptools").split(".")[0]) >= SETUPTOOLS:
        command.append("--no-build-isolation")  # the installed setuptools can build the wheel, so pip fetches none
    if subprocess.run(command, check=False).returncode:
        raise SystemExit(
            f"The wheel cannot be built. Without a package index, the build needs setuptools >= {SETUPTOOLS} "
            f'in this environment: pip install "setuptools>={SETUPTOOLS}"'
        )
    [wheel] = dist.glob("*.whl")
    print(f"built {wheel.name}, {wheel.stat().st_size // 1024} KiB")
    return wheel


def check_contents(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    for pattern in NEEDED:
        files = _relative(ROOT.glob(pattern))
        _expect(bool(files), f"{pattern} matches nothing in the source")
        _expect(files <= packed, f"the wheel lacks {sorted(files - packed)}")
    modules = {
        path
        for package in PACKAGES
        for path in _relative((ROOT / package).rglob("*.py"))
        if not path.startswith(EXCLUDED)
    }
    _expect(modules <= packed, f"the wheel lacks {sorted(modules - packed)}")
    extra = [path for path in packed if path.startswith((EXCLUDED, "tests", "docs", "benchmarks"))]
    _expect(not extra, f"the wheel must not contain {extra}")
    print(f"The wheel has {len(packed)} files. No needed file is missing, and no excluded file is in it.")


def install(wheel: Path, environment: Path) -> Path:
    venv.create(environment, symlinks=True)
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True)
    [own] = environment.glob("lib/python*/site-packages")
    (own / "third_party.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return environment


def use(environment: Path, base: Path) -> None:
    elsewhere = base / "elsewhere"
    elsewhere.mkdir()
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("WINDOWSHOP_", "PYTHON"))}
    variables["WINDOWSHOP_HOME"] = str(base / "home")
    variables["WINDOWSHOP_LOG_FORMAT"] = "text"  # as on a terminal

    def run(*command: str) -> str:
        print("$", *(Path(command[0]).name, *command[1:]), flush=True)
        done = subprocess.run(command, cwd=elsewhere, env=variables, capture_output=True, text=True, check=False)
        _expect(done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    look = f"import {', '.join(PACKAGES)}; print(*[m.__file__ for m in ({', '.join(PACKAGES)})])"
    for file in run(str(environment / "bin" / "python"), "-c", look).split():
        _expect(Path(file).is_relative_to(environment), f"{file} is imported instead of the installed package")
    windowshop = str(environment / "bin" / "windowshop")
    _expect("demo" in run(windowshop, "--help"), "--help does not list the commands")
    _expect("up to date" in run(windowshop, "db", "upgrade"), 'db upgrade does not print "up to date"')
    _expect("No difference" in run(windowshop, "db", "check"), 'db check does not print "No difference"')
    alembic = [str(environment / "bin" / "python"), "-m", "alembic", "-c", run(windowshop, "db", "alembic-ini").strip()]
    _expect("(head)" in run(*alembic, "current"), "alembic current does not print the head")


def _relative(paths: Iterable[Path]) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in paths if path.is_file() and "__pycache__" not in path.parts}


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise SystemExit(otherwise)


if __name__ == "__main__":
    main()
