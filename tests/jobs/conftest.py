from collections.abc import Iterator

import pytest

from db.jobs import worker
from tests.jobs.receiving import OK
from tests.support.scripted_server import ScriptedServer, scripted_server


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers in this process look for work often."""
    monkeypatch.setattr(worker, "LOOK_SECONDS", 1)
    monkeypatch.setattr(worker, "POLL_SECONDS", 0.1)


@pytest.fixture
def receiver() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        server.answers["/hook"] = OK
        yield server
