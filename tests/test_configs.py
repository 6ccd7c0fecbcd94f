"""Each file in configs/ is loaded, and every value in it takes effect."""

import shutil
import tomllib
from pathlib import Path

import pytest

from db.setting_sources import check_names, table
from windowshop.settings import classes

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.toml"))


@pytest.mark.parametrize("config", CONFIGS, ids=[config.stem for config in CONFIGS])
def test_a_config_is_loaded(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = shutil.copy(config, tmp_path)
    monkeypatch.setenv("WINDOWSHOP_CONFIG", str(copy))
    whole = tomllib.loads(config.read_text(encoding="utf-8"))
    for name, path in whole.items():
        if name.endswith("_file"):
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(f"postgresql://{name}@db.example/shop\n")
    check_names(classes().values())
    tested = 0
    for kind in classes().values():
        settings = kind.read()
        content = whole.get(table(kind), {}) if table(kind) else whole
        for name, value in content.items():
            if isinstance(value, dict):
                continue
            if name.endswith("_file"):
                name, value = name.removesuffix("_file"), f"postgresql://{name}@db.example/shop"
            found = getattr(settings, name)
            found = found.get_secret_value() if hasattr(found, "get_secret_value") else found
            shown = [str(one) for one in found] if isinstance(value, list) else found
            assert shown == value, name
            tested += 1
    assert tested == sum(len(value) if isinstance(value, dict) else 1 for value in whole.values())


def test_there_is_a_config_for_a_laptop_and_a_shop_and_a_gpu() -> None:
    assert [config.stem for config in CONFIGS] == ["gpu", "laptop", "shop"]
