"""compose.yaml has the form of the Compose specification, and keeps the rules of this project."""

import json
import re
import tomllib
from collections.abc import Callable
from typing import Any

import compose_spec
import pytest
import yaml

from tests.support.compose.files import COMPOSE, IMAGES, ROOT, interpolated, read_compose, read_stages, seconds
from tests.support.compose.rules import EXACT_TAG, faults
from tests.test_settings import CLASSES

pytestmark = pytest.mark.deploy

SETTINGS = {
    f"{kind.model_config.get('env_prefix')}{name}".upper() for kind in CLASSES.values() for name in kind.model_fields
}
Change = Callable[[dict[str, Any]], object]


def resolved() -> str:
    """Return compose.yaml without variables and merge keys, which compose-spec does not read."""
    return yaml.safe_dump(yaml.safe_load(interpolated(COMPOSE.read_text(), {})))


def test_compose_yaml_has_the_form_of_the_specification() -> None:
    compose_spec.PyCompose.from_yaml(resolved())


@pytest.mark.parametrize(
    ("old", "new"), [("service_healthy", "service_lively"), ("read_only: true", "read_only: perhaps")]
)
def test_the_specification_refuses_a_deliberate_fault(old: str, new: str) -> None:
    assert old in resolved()
    with pytest.raises(ValueError, match=new.rpartition(" ")[2]):
        compose_spec.PyCompose.from_yaml(resolved().replace(old, new))


def test_compose_yaml_keeps_the_rules() -> None:
    assert faults(read_compose(), read_stages(), SETTINGS) == []


def service(name: str, **values: Any) -> Change:
    return lambda compose: compose["services"][name].update(values)


def variable(name: str, key: str, value: str) -> Change:
    return lambda compose: compose["services"][name]["environment"].update({key: value})


FAULTS: dict[str, Change] = {
    "web: read_only is not True": service("web", read_only=False),
    "encoder: cap_drop is not ['ALL']": service("encoder", cap_drop=[]),
    "web: no mem_limit": lambda compose: compose["services"]["web"].pop("mem_limit"),
    "web: no build of its own image": lambda compose: compose["services"]["web"].pop("build"),
    "web: the user is not 10001:10001": service("web", user="0:0"),
    "web: WINDOWSHOP_WEB_DEADLINE is not a setting": variable("web", "WINDOWSHOP_WEB_DEADLINE", "1"),
    "web: stop_grace_period is not longer than the deadline of a request": service("web", stop_grace_period="11s"),
    "postgres: runs as root": service("postgres", user="root"),
    "postgres: pgvector/pgvector:latest is not an exact version": service("postgres", image="pgvector/pgvector:latest"),
    "postgres: pgvector/pgvector:pg18 is not an exact version": service("postgres", image="pgvector/pgvector:pg18"),
    "postgres: no health check": lambda compose: compose["services"]["postgres"].pop("healthcheck"),
    "postgres: no stop_grace_period": lambda compose: compose["services"]["postgres"].pop("stop_grace_period"),
    "postgres: only web may have a public port": service("postgres", ports=["5432:5432"]),
    "postgres: POSTGRES_PASSWORD is a secret with a value in the file": variable(
        "postgres", "POSTGRES_PASSWORD", "postgres"
    ),
    "migrate: WINDOWSHOP_DATABASE_URL contains a password": variable(
        "migrate", "WINDOWSHOP_DATABASE_URL", "postgresql://postgres:secret@postgres/windowshop"
    ),
    "postgres: the data lie in another folder below /var/lib/postgresql, so this volume does not keep them": service(
        "postgres", volumes=["postgres:/var/lib/postgresql/data"]
    ),
    "web: waits for migrate with service_started": lambda compose: compose["services"]["web"]["depends_on"][
        "migrate"
    ].update(condition="service_started"),
    "web: needs sample, which is in a profile": lambda compose: compose["services"]["web"]["depends_on"]["sample"].pop(
        "required"
    ),
    "sample: no service waits for the end of this task": lambda compose: compose["services"]["web"]["depends_on"].pop(
        "sample"
    ),
    "the network database is not internal": lambda compose: compose["networks"]["database"].pop("internal"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_deliberate_fault_is_named(fault: str) -> None:
    compose = json.loads(json.dumps(read_compose()))  # a copy in which no two services share an object
    FAULTS[fault](compose)
    assert faults(compose, read_stages(), SETTINGS) == [fault]


def test_every_image_has_an_exact_version_in_one_file() -> None:
    images = yaml.safe_load(IMAGES.read_text())["services"]
    versions = [service["image"] for name, service in images.items() if name != "own"]
    versions.append(images["own"]["build"]["args"]["BASE"])
    assert [version for version in versions if not EXACT_TAG.search(version)] == []
    elsewhere = COMPOSE.read_text() + (ROOT / "deploy" / "Containerfile").read_text()
    assert re.findall(r"(?:docker\.io|quay\.io|ghcr\.io)/\S+", elsewhere) == []


def test_own_images_have_the_version_of_the_package() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    own = {service["image"] for service in read_compose()["services"].values() if "build" in service}
    assert {image.rpartition(":")[2] for image in own} == {version}


def test_the_working_folder_of_the_own_images_can_be_written_to() -> None:
    """A load writes its list of rejected rows there, and the root file system is read-only."""
    folders = re.findall(r"^WORKDIR (\S+)$", (ROOT / "deploy" / "Containerfile").read_text(), flags=re.M)
    for name, service in read_compose()["services"].items():
        if "build" in service:
            assert any(mount.startswith(f"{folders[-1]}:") for mount in service["tmpfs"]), name


def test_a_variable_of_compose_yaml_replaces_its_default() -> None:
    compose = read_compose({"SHOP_PORT": "127.0.0.1:9000", "SHOP_CATALOG_FOLDER": "/srv/shop"})
    assert compose["services"]["web"]["ports"] == ["127.0.0.1:9000:8000"]
    assert "/srv/shop:/catalog:ro" in compose["services"]["encoder"]["volumes"]


@pytest.mark.parametrize(("duration", "expected"), [("20s", 20), ("1m30s", 90), ("500ms", 0.5)])
def test_durations_are_read_in_the_notation_of_compose(duration: str, expected: float) -> None:
    assert seconds(duration) == expected
