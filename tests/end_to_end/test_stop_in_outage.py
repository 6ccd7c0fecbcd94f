"""SIGTERM ends `serve`, `encode`, `jobs` and `up` with exit code 0 while the database refuses connections or does not
answer."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from db.engine import Database
from db.roles import Role
from tests.support.processes import Command, says, wait_until
from tests.support.servers.tcp_proxy import TcpProxy, tcp_proxy

Environment = Callable[..., dict[str, str]]
# By default, Kubernetes waits 30 seconds before it kills a process. Ten more seconds are for a busy machine.
SECONDS = 40


@pytest.fixture
def proxy(clip_database: Database) -> Iterator[TcpProxy]:
    url = clip_database.write
    with tcp_proxy(str(url.host), int(url.port or 0)) as proxy:
        yield proxy


@pytest.mark.soak
@pytest.mark.parametrize("outage", [TcpProxy.refuse, TcpProxy.silence])
@pytest.mark.parametrize(
    ("arguments", "role", "ready"),
    [
        (("serve", "--port", "0"), Role.WEB_WRITER, "Serving at"),
        (("encode",), Role.ENCODER, "encoder is ready"),
        (("jobs",), Role.JOBS, "Jobs are running."),
        (("up", "--port", "0"), None, "encoder is ready"),
    ],
)
def test_sigterm_during_an_outage_ends_a_process_with_exit_code_0(
    clip_database: Database,
    proxy: TcpProxy,
    environment: Environment,
    tmp_path: Path,
    arguments: tuple[str, ...],
    role: Role | None,
    ready: str,
    outage: Callable[[TcpProxy], None],
) -> None:
    through = replace(clip_database, write=clip_database.write.set(port=proxy.port))
    env = environment(through, role)
    if role is Role.WEB_WRITER:
        read = through.url(Role.WEB_READER).set(drivername="postgresql")
        env["WINDOWSHOP_READ_DATABASE_URL"] = read.render_as_string(hide_password=False)
    env |= {"WINDOWSHOP_WEB_METRICS_PORT": "null", "WINDOWSHOP_ENCODER_DEVICE": "cpu"}
    log = tmp_path / "log"
    process = Command(*arguments, env=env, output=log, errors=log)
    try:
        wait_until(lambda: says(log, ready) or process.poll() is not None, 120, "a ready process")
        assert process.poll() is None, log.read_text()
        outage(proxy)
        time.sleep(3)  # time for the process to notice the outage
        process.terminate()
        assert process.wait(SECONDS) == 0, log.read_text()
        assert "Traceback" not in log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
