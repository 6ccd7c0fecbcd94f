import pytest

from db.jobs import worker


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers in this process look for work often."""
    monkeypatch.setattr(worker, "LOOK_SECONDS", 1)
    monkeypatch.setattr(worker, "POLL_SECONDS", 0.1)
