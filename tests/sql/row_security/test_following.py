"""The event trigger windowshop_row_security gives tables their policies when an administrator secures the products."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.shop import Shop


def test_a_command_that_secures_the_products_raises_no_notice(shop: "Shop") -> None:
    with shop.database.connect(None) as conn:
        heard: list[str | None] = []
        raw = conn.connection.driver_connection
        assert raw is not None
        raw.add_notice_handler(lambda notice: heard.append(notice.message_primary))
        for change in ("enable", "disable", "enable"):
            conn.exec_driver_sql(f"alter table shop.product {change} row level security")
        policies = conn.exec_driver_sql("select count(*) from pg_policy where polname = 'windowshop_follow'")
        assert policies.scalar_one() > 20
        assert heard == []
        conn.rollback()
