import pytest

from web.page.recording import recorder


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "WAIT_SECONDS", 0.0)
    monkeypatch.setattr(recorder, "TICK_SECONDS", 0.02)
