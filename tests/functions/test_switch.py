"""A query meets vectors of its own model only, also while another model is put in its place."""

import threading
from typing import TYPE_CHECKING

from sqlalchemy import text

from db.roles import Role
from db.serving import serve_model

if TYPE_CHECKING:
    from tests.functions.conftest import Shop


def test_searches_go_on_and_never_mix_models_while_they_are_switched(two_models: "Shop") -> None:
    shop = two_models
    shop.add(*(f"s{n}" for n in range(40)))
    shop.encode_all(model_id=1)
    shop.encode_all(model_id=2, dimension=40)
    shop.cache("bag", model_id=1)
    shop.cache("bag", model_id=2, dimension=40)
    stop = threading.Event()
    outcomes: list[str] = []

    def searching(isolation: str) -> None:
        with shop.database.connect(Role.ANALYST) as conn:
            conn = conn.execution_options(isolation_level=isolation)
            while not stop.is_set():
                try:
                    with conn.begin():
                        for _ in range(3):  # inside one transaction the model stays
                            rows = conn.execute(text("select * from shop.search('bag', k => 7)")).all()
                            outcomes.append(str(len(rows)))
                except Exception as error:
                    outcomes.append(repr(error))

    threads = [threading.Thread(target=searching, args=(level,)) for level in ("READ COMMITTED", "REPEATABLE READ")]
    for thread in threads:
        thread.start()
    try:
        for model in ("wide", "toy", "wide", "toy"):
            serve_model(shop.database, model, force=True)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert len(outcomes) > 10
    assert set(outcomes) == {"7"}
