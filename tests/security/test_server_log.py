"""The log of the embedded server has the errors, but no text, image, parameter or row of a statement."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from db.errors import DatabaseError
from db.roles import Role
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from tests.support.shop import Shop

SECRET = "unmistakable-text-of-a-visitor"
# The statement, its parameters, and the words of the error that are in the log
STATEMENTS = [
    (f'select 1/0 as "{SECRET}"', {}, "division by zero"),
    ("select shop.clip_image(%(x)s)", {"x": SECRET.encode() * 100}, "no encoder is connected"),
    ("select shop.search(%(x)s, k => -1)", {"x": SECRET}, "k is -1"),
    (
        "insert into shop.product (product_id, sku, title) values (gen_random_uuid(), %(x)s, 'x')",
        {"x": SECRET},
        "product_identity_check",
    ),
]


@pytest.mark.parametrize(("statement", "parameters", "logged"), STATEMENTS, ids=[row[2] for row in STATEMENTS])
def test_a_statement_that_fails_leaves_only_its_error_in_the_log(
    shop: "Shop", server_home: Path, statement: str, parameters: dict[str, object], logged: str
) -> None:
    conn = shop.connect(Role.APP)
    # A role may change this setting, but no other that adds parameters to the log.
    conn.exec_driver_sql("set log_parameter_max_length_on_error = -1")
    with pytest.raises(DatabaseError):
        conn.exec_driver_sql(statement, parameters)

    def log() -> bytes:
        return b"".join(path.read_bytes() for path in (server_home / "data" / "log").iterdir())

    wait_until(lambda: logged.encode() in log(), 30, "the error in the log")  # another process writes the log
    assert SECRET.encode() not in log()
    assert SECRET.encode().hex().encode() not in log()
