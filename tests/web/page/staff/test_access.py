"""While keys are on, only an admin key opens the page for staff. The page takes only its own forms. These tests need
no browser."""

import re

import httpx
import pytest

from db import api_keys
from db.engine import Database
from tests.support.web_service import SETTINGS, Serve, served
from tests.web.page.staff.signing_in import OWN, RULE, Keys, sign_in
from web.page.staff import sessions

PAGES = ("/staff", "/staff/synonyms", "/staff/rules", "/staff/quarantine", "/staff/models")
FORMS = (
    "/staff/synonyms", "/staff/synonyms/delete", "/staff/rules", "/staff/rules/delete", "/staff/rules/live",
    "/staff/rules/draft", "/staff/preview/rules", "/staff/preview/synonyms", "/staff/quarantine/retry",
)  # fmt: skip


def test_without_an_admin_key_pages_forms_and_signing_in_are_refused(client: httpx.Client, keys: Keys) -> None:
    for path in PAGES:
        answer = client.get(path)
        assert answer.status_code == 401, path
        assert 'name="key"' in answer.text and "black" not in answer.text
        assert "www-authenticate" not in answer.headers
        assert "Authorization" not in answer.text and "banner" not in answer.text
    for path in FORMS:
        assert client.post(path, data=RULE).status_code == 401, path
    for key, status in ((keys["write"], 403), (keys["search"], 403), ("ws_unknown", 401), ("", 401), ("x" * 500, 401)):
        answer = sign_in(client, key)
        assert answer.status_code == status, key
        assert "set-cookie" not in answer.headers
        assert client.get("/staff").status_code == 401


def test_the_session_cookie_hides_the_key_and_opens_only_the_staff_page_until_sign_out(
    client: httpx.Client, keys: Keys
) -> None:
    answer = sign_in(client, keys["admin"])
    assert (answer.status_code, answer.headers["location"]) == (303, "/staff")
    cookie = answer.headers["set-cookie"]
    assert keys["admin"] not in cookie
    assert {"HttpOnly", "Path=/staff", "SameSite=strict"} <= set(cookie.split("; "))
    assert client.get("/staff").status_code == 200
    name = client.cookies[sessions.COOKIE]
    for path in ("/v1/rules", "/staffers", "/v1/rules?x=/staff"):  # the session is valid for this page only
        assert client.get(path, headers={"Cookie": f"{sessions.COOKIE}={name}"}).status_code in (401, 404)
    client.post("/staff/sign-out")
    assert client.get("/staff", headers={"Cookie": f"{sessions.COOKIE}={name}"}).status_code == 401


def test_the_cookie_is_secure_behind_a_proxy_with_https(own_database: Database, serve: Serve, keys: Keys) -> None:
    from ipaddress import ip_network

    with serve(own_database, api_keys="on", trusted_proxies=[ip_network("127.0.0.0/8")]) as client:
        headers = {**OWN, "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/shop", "X-Forwarded-For": "192.0.2.1"}
        answer = client.post("/staff/sign-in", data={"key": keys["admin"]}, headers=headers)
        assert {"Secure", "Path=/shop/staff"} <= set(answer.headers["set-cookie"].split("; "))
        assert answer.headers["location"] == "/shop/staff"


def test_a_session_ends_at_its_time_limits_and_with_its_key(
    client: httpx.Client, keys: Keys, own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(client, keys["admin"])
    name = client.cookies[sessions.COOKIE]
    for limit in ("IDLE_SECONDS", "LONGEST_SECONDS"):
        with monkeypatch.context() as patch:
            patch.setattr(sessions, limit, -1)
            assert "The session has ended." in client.get("/staff").text
        assert client.get("/staff", headers={"Cookie": f"{sessions.COOKIE}={name}"}).status_code == 401
        sign_in(client, keys["admin"])
        name = client.cookies[sessions.COOKIE]
    with own_database.connect(None) as conn, conn.begin():
        api_keys.revoke(conn, "admin")
    monkeypatch.setattr("web.http.access.CACHE_SECONDS", 0)
    sign_in(client, keys["main"])
    with own_database.connect(None) as conn, conn.begin():
        api_keys.revoke(conn, "main")
    assert client.get("/staff").status_code == 401
    assert 'name="key"' in client.get("/staff").text


ELSEWHERE = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "{own}"},
    {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "", "Origin": "null"},
    {"Sec-Fetch-Site": "", "Origin": "http://["},
    {"Sec-Fetch-Site": ""},
)


def test_a_form_of_another_page_changes_nothing(client: httpx.Client, keys: Keys) -> None:
    own = str(client.base_url).rstrip("/")
    given = {"Sec-Fetch-Site": "", "Origin": own}  # over plain HTTP, browsers send no Sec-Fetch-Site
    assert client.post("/staff/sign-in", data={"key": keys["admin"]}, headers=given).status_code == 303
    for headers in ELSEWHERE:
        sent = {name: value.format(own=own) for name, value in headers.items()}
        for path in (*FORMS, "/staff/sign-in", "/staff/sign-out"):
            answer = client.post(path, data={**RULE, "key": keys["admin"]}, headers=sent)
            assert answer.status_code == 403, (path, headers)
    assert "There is no rule yet." in client.get("/staff/rules").text


def test_the_staff_page_is_open_and_refuses_forms_of_other_sites_while_keys_are_off(own_database: Database) -> None:
    with served(own_database, SETTINGS) as client:
        assert client.get("/staff").status_code == 200
        assert client.post("/staff/rules", data=RULE, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert client.post("/staff/rules", data=RULE, headers=OWN).status_code == 303
        assert client.get("/staff", headers={"Host": "evil.example"}).status_code == 400


def test_a_key_of_one_catalog_sees_and_changes_only_this_catalog(client: httpx.Client, keys: Keys) -> None:
    sign_in(client, keys["admin"])
    assert client.post("/staff/rules", data={**RULE, "catalog": "main"}).status_code == 303
    for terms, more in (("divan, couch", {}), ("trousers, pants", {"everywhere": "1"})):
        assert client.post("/staff/synonyms", data={"terms": terms, "catalog": "main", **more}).status_code == 303
    rule = re.findall(r'name="rule" value="(\d+)"', client.get("/staff/rules?catalog=main").text)[0]
    own, every = sorted(
        set(re.findall(r'name="synonym" value="(\d+)"', client.get("/staff/synonyms?catalog=main").text))
    )
    sign_in(client, keys["other"])
    for path in PAGES:
        assert client.get(path).status_code == 200
        assert client.get(path, params={"catalog": "main"}).status_code == 403
        assert "<td>main" not in client.get(path).text and "number7" not in client.get(path).text
    assert "first" not in client.get("/staff/rules").text
    assert "divan" not in client.get("/staff/synonyms").text
    other = {"catalog": "other"}
    for path, data in (
        ("/staff/rules", {**RULE, "catalog": "main"}),
        ("/staff/synonyms", {"terms": "a1, b1", "catalog": "main"}),
        ("/staff/synonyms", {"terms": "a1, b1", "everywhere": "1", **other}),
        ("/staff/synonyms/delete", {"synonym": every, **other}),
        ("/staff/quarantine/retry", {"catalog": "main"}),
        ("/staff/preview/rules", {**RULE, **other}),
        ("/staff/preview/synonyms", {"terms": "a1, b1", **other}),
    ):
        assert client.post(path, data=data).status_code == 403, (path, data)
    # The answer is the same as for a rule or a synonym that does not exist, so it tells nothing of other catalogs.
    for path, data in (
        ("/staff/rules/delete", {"rule": rule, **other}),
        ("/staff/rules/live", {"rule": rule, **other}),
        ("/staff/synonyms/delete", {"synonym": own, **other}),
    ):
        answer = client.post(path, data=data)
        assert (answer.status_code, "does not exist any more" in answer.text) == (404, True), (path, data)
    sign_in(client, keys["admin"])
    assert "first" in client.get("/staff/rules?catalog=main").text
    assert "trousers" in client.get("/staff/synonyms?catalog=main").text


def test_requests_of_a_session_count_for_its_key_and_a_refused_request_gets_a_page(
    own_database: Database, serve: Serve, keys: Keys
) -> None:
    with serve(own_database, api_keys="on", rate_per_key=3, rate_per_address=5) as client:
        client.headers.update(OWN)
        sign_in(client, keys["admin"])
        answers = [client.get("/staff") for _ in range(4)]
        assert [each.status_code for each in answers] == [200, 200, 200, 429]
        assert answers[-1].headers["content-type"] == "text/html; charset=utf-8"
        assert "Too many requests" in answers[-1].text and "retry-after" in answers[-1].headers
        client.cookies.clear()
        guesses = [client.post("/staff/sign-in", data={"key": f"ws_{n}"}).status_code for n in range(6)]
        assert guesses[-1] == 429


def test_staff_page_and_public_page_can_be_switched_off_and_shoppers_get_no_cookie(
    own_database: Database, serve: Serve
) -> None:
    with serve(own_database, staff_page=False) as client:
        assert client.get("/staff").status_code == 404
    with serve(own_database, public_page=False) as client:
        assert client.get("/staff").status_code == 200
        assert client.get("/").status_code == 404
    with serve(own_database) as client:
        for path in ("/", "/?q=bag", "/staff", "/nowhere"):
            assert "set-cookie" not in client.get(path).headers
        policy = client.get("/staff").headers["content-security-policy"]
        assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
