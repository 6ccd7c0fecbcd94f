"""With the setting record_events, the page records its searches and clicks as events, without cookies."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from db.engine import Database
from db.errors import DatabaseUnreachable
from db.search.queries import with_few_clicks, without_result
from tests.support.processes import wait_until
from tests.support.web_service import Serve
from web.http.problems import ApiError
from web.page.recording import recorder

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
OURS = {"Sec-Fetch-Site": "same-origin"}
EVENTS = "select kind, query, results, sku, rank, visitor, catalog, search_id from shop.event order by event_id"


@contextmanager
def recording(serve: Serve, database: Database, **settings: Any) -> Iterator[httpx.Client]:
    """Yields a client that behaves as a browser.

    The recorder has read the salt of the day, with which it makes names of visitors.
    """
    with serve(database, record_events=True, **settings) as client:
        client.headers.update(BROWSER | OURS)
        wait_until(lambda: rows(database, "select day from shop_private.visitor_salt") != [], 30, "a salt")
        time.sleep(0.1)  # until the recorder has the salt too
        yield client


def rows(database: Database, sql: str = EVENTS) -> list[Any]:
    with database.connect(None) as conn:
        return list(conn.execute(text(sql)))


def recorded(database: Database, count: int) -> list[Any]:
    wait_until(lambda: len(rows(database)) >= count, 30, f"{count} events")
    time.sleep(0.1)  # an event too many would be written in this time
    found = rows(database)
    assert len(found) == count
    return found


def product_links(page: str) -> list[str]:
    return [unescape(address) for address in re.findall(r'<h3><a[^>]*href="([^"]*)"', page)]


def test_by_default_nothing_is_recorded_and_no_link_names_a_search(serve: Serve, own_database: Database) -> None:
    with serve(own_database) as client:
        page = client.get("/?q=bag", headers=BROWSER | OURS).text
        assert "from=" not in page
        client.get(product_links(page)[0], headers=BROWSER | OURS)
    assert rows(own_database) == []
    assert rows(own_database, "select * from shop_private.visitor_salt") == []


def test_a_search_and_a_click_are_recorded_without_javascript_and_cookies(serve: Serve, own_database: Database) -> None:
    with recording(serve, own_database) as client:
        page = client.get("/?q=bag&cut=none")
        [search] = recorded(own_database, 1)
        assert (search.kind, search.query, search.catalog) == ("search", "bag", "main")
        assert search.results > 0
        assert re.fullmatch(r"page \d{4}-\d\d-\d\d [0-9a-f]{32}", search.visitor)
        link = product_links(page.text)[2]
        view = client.get(link)
        _, click = recorded(own_database, 2)
        sku = httpx.URL(link).params["sku"]
        assert (click.kind, click.sku, click.rank) == ("click", sku, 3)
        assert (click.search_id, click.visitor) == (search.search_id, search.visitor)
        assert "set-cookie" not in page.headers and "set-cookie" not in view.headers
        [canonical] = re.findall(r'<link rel="canonical" href="([^"]*)">', view.text)
        assert "from=" not in canonical
        # The same search, this search with a filter, and the same click are no new events.
        for address in ("/?q=bag&cut=none", "/?q=%20Bag&color=red&cut=none", link):
            client.get(address)
        recorded(own_database, 2)


def test_recorded_searches_that_find_nothing_or_get_no_clicks_are_listed_for_staff(
    serve: Serve, own_database: Database
) -> None:
    with recording(serve, own_database) as client:
        client.get("/?q=-bag%20-shoes%20number1")
        client.get("/?q=bag&brand=nobody")
        recorded(own_database, 2)
    with own_database.connect(None) as conn:
        assert [row.query for row in without_result(conn, "main", 10)] == ["-bag -shoes number1"]
        conn.execute(text("update shop.event set results = 3, query = 'bag'"))
        conn.execute(
            text(
                "insert into shop.event (kind, query, results, visitor) "
                "select 'search', 'bag', 3, n::text from generate_series(1, 5) n"
            )
        )
        assert [(row.query, row.clicks) for row in with_few_clicks(conn, "main", 10)] == [("bag", 0)]


@pytest.mark.parametrize(
    "headers",
    [
        {"DNT": "1"},
        {"Sec-GPC": "1"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"User-Agent": ""},
        {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
        {"User-Agent": "python-httpx/0.28"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_crawlers_prefetches_foreign_links_and_visitors_who_refuse_are_not_recorded(
    serve: Serve, own_database: Database, headers: dict[str, str]
) -> None:
    with recording(serve, own_database) as client:
        page = client.get("/?q=bag", headers=headers)
        assert page.status_code == 200
        assert "from=" not in page.text
        client.head("/?q=bag")
        client.get("/?q=shoes")
        assert recorded(own_database, 1)[0].query == "shoes"


def test_without_sec_fetch_site_the_referer_must_be_the_page(serve: Serve, own_database: Database) -> None:
    with recording(serve, own_database) as client:
        del client.headers["Sec-Fetch-Site"]
        for referer in (
            {},
            {"Referer": "https://evil.example/"},
            {"Referer": "http://["},
            {"Referer": f"{client.base_url}x/"},
        ):
            assert "from=" not in client.get("/?q=bag", headers=referer).text
        client.get("/?q=laces", headers={"Referer": f"{client.base_url}/?q=bag"})
        assert recorded(own_database, 1)[0].query == "laces"


def test_a_click_needs_a_search_of_the_same_visitor_and_catalog(serve: Serve, own_database: Database) -> None:
    with recording(serve, own_database) as client:
        link = httpx.URL(product_links(client.get("/?q=bag&cut=none").text)[0])
        origin = link.params["from"]
        recorded(own_database, 1)
        with own_database.connect(None) as conn, conn.begin():
            conn.execute(
                text(
                    "insert into shop.product (product_id, sku, catalog, title) "
                    "select shop.product_id(p.sku, 'other'), p.sku, 'other', p.title from shop.product p"
                )
            )
        view = {"sku": link.params["sku"], "from": origin}
        forged = [
            (view | {"catalog": "other"}, {}),
            (view, {"User-Agent": _another_name(own_database)}),
            (view | {"from": "0" * 32 + ".1"}, {}),
            (view | {"from": origin.replace(".", ".0")[:-1]}, {}),
            (view | {"from": origin + "9999999"}, {}),
            (view | {"from": "x"}, {}),
        ]
        for params, headers in forged:
            assert client.get("/product", params=params, headers=headers).status_code == 200
        assert client.get("/product", params=view | {"sku": "nothing"}).status_code == 404
        recorded(own_database, 1)
        client.get("/product", params=view)
        recorded(own_database, 2)


def _another_name(database: Database) -> str:
    """Returns a User-Agent that today gives a client at 127.0.0.1 another visitor name than BROWSER gives it."""
    from db.roles import Role
    from db.search.events import salt_of_day
    from web.page.recording.visitors import name_of

    with database.connect(Role.APP) as conn:
        salt = salt_of_day(conn)

    def name(browser: str) -> str:
        scope: Any = {"client": ("127.0.0.1", 1), "headers": [(b"user-agent", browser.encode())]}
        return name_of(scope, salt)

    own = name(BROWSER["User-Agent"])
    return next(f"Browser {n}" for n in range(100) if name(f"Browser {n}") != own)


def test_many_browsers_at_one_address_count_as_four_visitors_and_suggest_nothing(
    serve: Serve, own_database: Database
) -> None:
    with recording(serve, own_database) as client:
        for n in range(40):
            page = client.get("/?q=bag&cut=none", headers={"User-Agent": f"Browser {n}"})
            client.get(product_links(page.text)[0], headers={"User-Agent": f"Browser {n}"})
        recorded(own_database, 8)  # a search and a click of each of 4 visitors
    with own_database.connect(None) as conn, conn.begin():
        # On two further days the same visitors have other names.
        for day in (1, 2):
            conn.execute(
                text(
                    "insert into shop.event (at, occurred_at, kind, query, results, visitor) select at - n, "
                    "occurred_at - n, kind, query, results, 'page ' || current_date - :day || substr(visitor, 16) "
                    "from shop.event, make_interval(days => :day) n where occurred_at > now() - interval '1 hour' "
                    "and kind = 'search'"
                ),
                {"day": day},
            )
        suggested = "select count(*) from shop.suggestion where kind = 'query'"
        conn.execute(text("select shop.refresh_suggestions()"))
        assert conn.scalar(text(suggested)) == 0
        conn.execute(
            text(
                "insert into shop.event (kind, query, results, visitor) "
                "select 'search', 'bag', 3, 'page ' || current_date || ' 00' from generate_series(1, 2)"
            )
        )
        conn.execute(text("select shop.refresh_suggestions()"))
        assert conn.scalar(text(suggested)) == 1
        conn.execute(text("select shop.refresh_signals()"))
        points = conn.scalar(text("select max(points) from shop.popularity"))
        assert 4 * 2 * 0.9 < points <= 4 * 2


@pytest.mark.soak
def test_events_of_a_visitor_above_the_daily_limit_are_not_recorded(
    serve: Serve, own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "MOST_A_DAY", 5)
    with recording(serve, own_database) as client:
        pages = [client.get(f"/?q=number{n}").text for n in range(1, 10)]
        recorded(own_database, 5)
        assert "from=" in pages[0] and "from=" not in pages[-1]
        client.get(product_links(pages[0])[0])
        recorded(own_database, 5)


def test_only_the_last_text_that_a_visitor_types_is_recorded(
    serve: Serve, own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "WAIT_SECONDS", 60.0)
    with recording(serve, own_database) as client:
        for typed in ("ba", "bag", "bag n", "bag number12"):
            page = client.get(f"/?q={typed}").text
        assert rows(own_database) == []
        client.get(product_links(page)[0])  # a click ends the wait
        assert [row.query for row in recorded(own_database, 2)] == ["bag number12", None]
        client.get("/?q=shoes")
        client.get("/?q=red")  # another search ends the wait, too
        assert recorded(own_database, 3)[-1].query == "shoes"
    assert rows(own_database)[-1].query == "red"  # the end of the service ended the wait


@pytest.mark.parametrize("error", [DatabaseUnreachable("the primary is down"), ApiError("overloaded")])
def test_the_page_works_and_events_wait_while_the_primary_does_not_answer(
    serve: Serve, own_database: Database, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    from web.http.database import Pools

    monkeypatch.setattr(recorder, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(recorder, "MOST_READY", 2)
    write = Pools.write_behind

    async def fails(*_: Any, **__: Any) -> Any:
        raise error

    with recording(serve, own_database) as client:
        monkeypatch.setattr(Pools, "write_behind", fails)
        for n in (1, 2, 3):
            assert "from=" in client.get(f"/?q=number{n}").text
            time.sleep(0.1)
        assert rows(own_database) == []
        monkeypatch.setattr(Pools, "write_behind", write)
        assert [row.query for row in recorded(own_database, 2)] == ["number1", "number2"]


def test_a_click_on_a_variant_of_a_card_is_recorded_with_its_search(serve: Serve, own_database: Database) -> None:
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(
            text("update shop.product set item_group_id = 'g', title = 'zither' where sku in ('sku 1', 'sku 2')")
        )
    with recording(serve, own_database) as client:
        page = client.get("/?q=zither").text
        [expand] = re.findall(r'hx-get="(/variants[^"]*)"', page)
        found = re.findall(r'href="(/product[^"]*)"', client.get(unescape(expand)).text)
        client.get(unescape(found[1]))
        assert {row.kind for row in recorded(own_database, 2)} == {"search", "click"}
        assert "from=" not in client.get("/variants?sku=sku%201&from=%22%3E").text


def test_the_salt_lasts_a_day_and_is_deleted_afterwards(own_database: Database) -> None:
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(text("insert into shop_private.visitor_salt values (current_date - 2, '\\x00')"))
        first, again = (conn.execute(text("select * from shop_private.salt_of_day()")).one() for _ in range(2))
        assert (first.today, first.random) == (again.today, again.random)
        assert len(first.random) == 32
        assert 0 < first.seconds <= 86400
        assert conn.scalar(text("select count(*) from shop_private.visitor_salt")) == 1
        assert conn.scalar(text("select relpersistence from pg_class where relname = 'visitor_salt'")) == "u"
        conn.execute(text("update shop_private.visitor_salt set day = day - 1"))
        conn.execute(text("select shop_private.delete_old_salts()"))
        assert conn.scalar(text("select count(*) from shop_private.visitor_salt")) == 0
