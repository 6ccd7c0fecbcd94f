"""The fetcher reads images from web servers, with limits of size, time, redirects and concurrent requests."""

import gzip
import threading
import time
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.fetching.fetcher import Fetcher
from db.images.errors import ImageRejected
from tests.support.scripted_server import ScriptedServer, Send, dripping, redirect, refusal, response, scripted_server

MakeFetcher = Callable[..., Fetcher]
HEAD = b"HTTP/1.1 200 OK\r\n"


def here(*_: object) -> list[str]:
    return ["127.0.0.1"]


# --- images that are read


@pytest.mark.parametrize("content_type", ["image/jpeg", "text/html", "application/octet-stream"])
def test_bytes_are_read_unchanged_whatever_their_content_type(
    fetcher: MakeFetcher, site: ScriptedServer, content_type: str
) -> None:
    site.answers["/a%20b@2x.jpg?w=1&h=2"] = response(b"\x00\xffimage", Content_Type=content_type)
    assert fetcher().read(site.url("/a b@2x.jpg?w=1&h=2#part")) == b"\x00\xffimage"


def test_a_request_names_windowshop_and_has_no_cookies_or_other_extra_headers(
    fetcher: MakeFetcher, site: ScriptedServer
) -> None:
    site.answers["/"] = response(b"image", Set_Cookie="a=b")
    made = fetcher(here)
    made.read(f"http://cdn.example:{site.port}/")
    made.read(f"http://cdn.example:{site.port}/")
    headers = dict(site.requests[1][1])
    assert headers.pop("User-Agent").startswith("windowshop/")
    assert headers == {
        "Host": f"cdn.example:{site.port}",
        "Accept": "image/*,*/*;q=0.5",
        "Accept-Encoding": "identity",
    }


def test_a_body_of_unknown_length_and_a_chunked_body_are_read(fetcher: MakeFetcher, site: ScriptedServer) -> None:
    site.answers["/until-the-end"] = HEAD + b"Connection: close\r\n\r\nimage"
    site.answers["/chunks"] = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nima\r\n2\r\nge\r\n0\r\n\r\n"
    for path in site.answers:
        assert fetcher().read(site.url(path)) == b"image"


def test_the_next_address_of_a_host_is_used_if_an_address_does_not_answer(
    fetcher: MakeFetcher, site: ScriptedServer
) -> None:
    site.answers["/"] = response(b"image")
    made = fetcher(lambda *_: ["127.0.0.99", "127.0.0.1"])
    assert made.read(f"http://cdn.example:{site.port}/") == b"image"


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="this machine has no IPv6")
def test_the_host_header_of_an_ipv6_address_has_brackets_and_the_port(fetcher: MakeFetcher) -> None:
    with scripted_server("::1") as six:
        six.answers["/"] = response(b"image")
        made = fetcher(fetch_networks=[ip_network("::1/128")], fetch_ports=[six.port])
        assert made.read(f"http://[::1]:{six.port}/") == b"image"
        assert six.requests[0][1]["Host"] == f"[::1]:{six.port}"


# --- limits


def test_an_image_at_the_size_limit_is_read_and_a_larger_image_is_refused(
    fetcher: MakeFetcher, site: ScriptedServer
) -> None:
    site.answers["/fits"] = response(bytes(1000))
    site.answers["/declared"] = response(bytes(1001))
    site.answers["/undeclared"] = HEAD + b"Connection: close\r\n\r\n" + bytes(1001)
    made = fetcher(fetch_max_bytes=1000)
    assert made.read(site.url("/fits")) == bytes(1000)
    assert "1001 bytes; at most 1000 are allowed" in refusal(made, site.url("/declared")).message
    undeclared = refusal(made, site.url("/undeclared"))
    assert "more than 1000 bytes" in undeclared.message
    assert undeclared.final


@pytest.mark.parametrize("start", [b"Content-Length: 10000000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"])
def test_reading_an_endless_body_stops_at_the_limit(fetcher: MakeFetcher, site: ScriptedServer, start: bytes) -> None:
    block = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    site.answers["/"] = dripping(HEAD + start, block)
    assert refusal(fetcher(fetch_max_bytes=200_000), site.url()).final


def test_gzip_is_not_requested_and_a_gzip_encoded_body_is_refused(fetcher: MakeFetcher, site: ScriptedServer) -> None:
    site.answers["/"] = response(gzip.compress(bytes(5_000_000)), Content_Encoding="gzip")
    error = refusal(fetcher(), site.url())
    assert "Content-Encoding gzip" in error.message
    assert error.final
    assert site.requests[0][1]["Accept-Encoding"] == "identity"


DRIPS = {
    "body": dripping(HEAD + b"Content-Length: 1000000\r\n\r\n", b"x"),
    "chunks": dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "headers": dripping(HEAD, b"X: y\r\n"),
    "one header": dripping(HEAD + b"X: ", b"y"),
    "continue": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize("drip", DRIPS)
def test_reading_a_response_that_arrives_in_tiny_pieces_ends_at_the_time_limit(
    fetcher: MakeFetcher, site: ScriptedServer, drip: str
) -> None:
    site.answers["/"] = DRIPS[drip]
    error = refusal(fetcher(fetch_seconds=0.3), site.url())
    assert "no complete answer within 0.3 seconds" in error.message
    assert not error.final


def test_a_request_and_its_redirects_share_one_time_limit(fetcher: MakeFetcher, site: ScriptedServer) -> None:
    def slow(number: int) -> Callable[[Send], None]:
        def answer(send: Send) -> None:
            time.sleep(0.15)
            send(redirect(f"/{number + 1}"))

        return answer

    site.answers |= {f"/{n}": slow(n) for n in range(4)} | {"/4": response(b"image")}
    assert "0.4 seconds" in refusal(fetcher(fetch_seconds=0.4), site.url("/0")).message
    assert fetcher(fetch_seconds=60).read(site.url("/0")) == b"image"


def test_waiting_for_a_silent_name_server_ends_at_the_time_limit(fetcher: MakeFetcher, site: ScriptedServer) -> None:
    never = threading.Event()

    def silent(*_: object) -> list[str]:
        never.wait(30)
        return ["127.0.0.1"]

    try:
        made = fetcher(silent, fetch_seconds=0.3)
        assert "0.3 seconds" in refusal(made, f"http://cdn.example:{site.port}/").message
    finally:
        never.set()
    assert site.connections == 0


# --- redirects


def test_redirects_are_followed_including_relative_redirects(fetcher: MakeFetcher, site: ScriptedServer) -> None:
    site.answers |= {
        "/a/1": redirect("2"),
        "/a/2": redirect(f"//127.0.0.1:{site.port}/3", 301),
        "/3": redirect(site.url("/4"), 308),
        "/4": response(b"image"),
    }
    assert fetcher().read(site.url("/a/1")) == b"image"
    assert site.paths == ["/a/1", "/a/2", "/3", "/4"]


def test_an_image_after_more_than_five_redirects_is_refused(fetcher: MakeFetcher, site: ScriptedServer) -> None:
    site.answers["/"] = redirect("/")
    error = refusal(fetcher(), site.url())
    assert "more than 5 redirects" in error.message
    assert error.final
    assert len(site.requests) == 6


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(), st.binary())
def test_the_only_error_for_any_path_and_any_redirect_location_is_image_rejected(
    fetcher: MakeFetcher, site: ScriptedServer, path: str, location: bytes
) -> None:
    made = fetcher()
    for url in (site.url(f"/{path}"), site.url("/redirect")):
        site.answers["/redirect"] = HEAD.replace(b"200 OK", b"302 Found") + b"Location: " + location + b"\r\n\r\n"
        with pytest.raises(ImageRejected):
            made.read(url)


def test_a_redirect_status_without_a_location_is_refused(fetcher: MakeFetcher, site: ScriptedServer) -> None:
    site.answers["/"] = response(status=302)
    assert "answers 302" in refusal(fetcher(), site.url()).message


# --- the limit of requests to one host


def test_concurrent_requests_to_one_host_are_limited_and_other_hosts_are_not_blocked(
    fetcher: MakeFetcher, site: ScriptedServer
) -> None:
    lock, now, most = threading.Lock(), 0, 0
    release = threading.Event()

    def counted(send: Send) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        release.wait(20)
        with lock:
            now -= 1
        send(response(b"image"))

    site.answers["/slow"] = counted
    site.answers["/fast"] = response(b"other")
    made = fetcher(here, fetch_per_host=2, fetch_seconds=30)
    results: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: results.append(made.read(f"http://slow.example:{site.port}/slow")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    while now < 2:
        time.sleep(0.01)
    assert made.read(f"http://fast.example:{site.port}/fast") == b"other"
    release.set()
    for thread in threads:
        thread.join(60)
    assert results == [b"image"] * 8
    assert most == 2
