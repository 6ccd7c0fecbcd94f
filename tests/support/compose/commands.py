"""Reads the docker commands of a page of docs/, and runs equivalent actions on the services of a local site."""

import re
import shlex
import shutil
from pathlib import Path

from tests.support.compose.site import Site

# A command is an indented line, or code in a sentence.
_COMMAND = re.compile(r"^ {4,}(docker .+)$|`(docker [^`]+)`", re.MULTILINE)


def commands(page: Path, section: str) -> list[str]:
    """Return the docker commands below a heading, up to the next heading."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    parts = re.split(r"^#+ (.+)$", text, flags=re.MULTILINE)
    below = dict(zip(parts[1::2], parts[2::2], strict=True))[section]
    return [found[1] or found[2] for found in _COMMAND.finditer(below)]


def run(site: Site, line: str) -> str:
    """Do what a docker command does, and return its output. Raises AssertionError if the command fails, or if this
    module does not know it."""
    match shlex.split(line, comments=True):
        case ["docker", "volume", "rm", volume]:
            assert site.started == [], f"running or stopped containers use the volume {volume}"
            shutil.rmtree(site.folder / "volumes" / volume.removeprefix("windowshop_"))
            return ""
        case ["docker", "compose", "stop" | "down" as how]:
            assert [one for one in site.stop() if one.code != 0 or not one.in_time] == []
            if how == "down":
                site.started.clear()  # the containers are removed
            return ""
        case ["docker", "compose", "up", "-d", "--wait", *names]:
            site.start(names)
            return ""
        case ["docker", "compose", "exec", *rest]:
            name, *command = rest[1:] if rest[0] == "-T" else rest
            assert name in {one.name for one in site.running}, f"{name} does not run"
            return _run(site, line, name, command, entrypoint=[])
        case ["docker", "compose", "run", "--rm", *rest]:
            if rest[0] == "--no-deps":
                rest = rest[1:]
            entrypoint = None
            if rest[0] == "--entrypoint":
                entrypoint, rest = [rest[1]], rest[2:]
            return _run(site, line, rest[0], rest[1:], entrypoint)
    raise AssertionError(f"this module does not know the command {line}")


def _run(site: Site, line: str, name: str, command: list[str], entrypoint: list[str] | None) -> str:
    done = site.run(name, *command, entrypoint=entrypoint)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout
