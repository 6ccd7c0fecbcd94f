"""Defines the operation that adds the constraints on the links and the attributes of products.

    op.add_product_checks()

If the table has rows, the operation ends the revision's transaction and runs each statement in a transaction of its
own, so that no lock lasts longer than one statement. The operation can be run again after an interruption. If the
constraints exist already, it changes nothing, but a script (`--sql`) replaces the constraints. A row that breaks a
constraint is corrected: an address becomes null, and an attribute that is nested too deeply is deleted.
"""

from collections.abc import Callable
from typing import Any

from alembic.operations import MigrateOperation, Operations
from sqlalchemy import Connection, text

from migrations.operations.script import is_script, run_raw

OTHER_SCHEME = r"^[\u0001-\u0020]*(?!(https?|s3|gs)://)[a-z][a-z0-9+\u0001-\u0020-]*:"
CHECKS = {
    "product_depth_check": "not jsonb_path_exists(attributes, '$.**{21}')",
    "product_address_check": f"link !~* '{OTHER_SCHEME}' and image_link !~* '{OTHER_SCHEME}'",
}
CORRECTIONS = {  # the name of the corrected values in progress reports: the statement that corrects them
    "links of products": f"update shop.product set link = null where link ~* '{OTHER_SCHEME}'",
    "image links of products": f"update shop.product set image_link = null where image_link ~* '{OTHER_SCHEME}'",
    "products with deep attributes": (
        "update shop.product set attributes = (select coalesce(jsonb_object_agg(key, value), '{}') "
        "from jsonb_each(attributes) where not jsonb_path_exists(value, '$.**{20}')) "
        "where jsonb_path_exists(attributes, '$.**{21}')"
    ),
}
_EXISTING = text(
    "select conname from pg_constraint where conrelid = 'shop.product'::regclass and conname = any(:names)"
)


@Operations.register_operation("add_product_checks")
class AddProductChecks(MigrateOperation):
    @classmethod
    def add_product_checks(cls, operations: Operations) -> None:
        operations.invoke(cls())

    def reverse(self) -> MigrateOperation:
        raise NotImplementedError("the downgrade of a revision must drop the constraints by itself")


@Operations.implementation_for(AddProductChecks)
def _add_product_checks(operations: Operations, _: AddProductChecks) -> None:
    if is_script(operations):
        with operations.get_context().autocommit_block():
            correct(operations, CORRECTIONS)
            for name, check in CHECKS.items():
                run_raw(
                    operations,
                    f"alter table shop.product drop constraint if exists {name}, "
                    f"add constraint {name} check ({check}) not valid",
                )
        return
    bind = operations.get_bind()
    existing = set(bind.scalars(_EXISTING, {"names": list(CHECKS)}))
    missing = {name: check for name, check in CHECKS.items() if name not in existing}
    if not missing:
        return
    if bind.scalar(text("select 1 from shop.product limit 1")) is None:
        _add(operations, missing)
        return
    with operations.get_context().autocommit_block():
        # All corrections come before the first constraint. After a constraint is added, each update of a row fails
        # while the row still breaks the constraint in another column.
        correct(operations, CORRECTIONS)
        _add(operations, missing)


def _add(operations: Operations, checks: dict[str, str]) -> None:
    """Add the constraints as NOT VALID, so that the table is not scanned. The end of the upgrade validates them."""
    for name, check in checks.items():
        run_raw(operations, f"alter table shop.product add constraint {name} check ({check}) not valid")


def correct(operations: Operations | Any, corrections: dict[str, str]) -> None:
    """Correct rows that break a constraint, and report how many."""
    progress: Callable[[str], None] | None = operations.get_context().opts.get("progress")
    for what, correction in corrections.items():
        if is_script(operations):
            run_raw(operations, correction)
            continue
        bind: Connection = operations.get_bind()
        done = bind.exec_driver_sql(correction, execution_options={"no_parameters": True}).rowcount
        if done and progress:
            progress(f"correcting {what} that break a constraint: {done}")
