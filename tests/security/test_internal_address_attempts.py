"""An encoder opens no connection to a forbidden address, although anybody who writes a feed can name any address.

The tests replace only name resolution. Servers listen on loopback and count their connections.
"""

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.fetching.fetcher import Fetcher
from db.images.errors import ImageRejected
from encoder.settings import EncoderSettings
from tests.support.scripted_server import ScriptedServer, redirect, response, scripted_server

# {p} stands for the port of the listening servers. The fetcher allows this port, so an address with {p} is refused for
# its host, its scheme or its notation.
FORBIDDEN = [
    # loopback and "this host" (0.0.0.0), in notations that at least some programs accept
    "http://127.0.0.1:{p}/",
    "https://127.0.0.1:{p}/",
    "http://127.0.0.2:{p}/",
    "http://127.255.255.254:{p}/",
    "http://0.0.0.0:{p}/",
    "http://0:{p}/",
    "http://127.1:{p}/",
    "http://127.0.1:{p}/",
    "http://2130706433:{p}/",
    "http://017700000001:{p}/",
    "http://0177.0.0.1:{p}/",
    "http://0177.0.0.01:{p}/",
    "http://0x7f000001:{p}/",
    "http://0x7f.0x0.0x0.0x1:{p}/",
    "http://0X7F.1:{p}/",
    "http://127.0.0.0x1:{p}/",
    "http://00000127.0.0.1:{p}/",
    "http://127.000.000.001:{p}/",
    "http://4294967297:{p}/",
    "http://127.0.0.1.:{p}/",
    "http://127。0。0。1:{p}/",
    "http://①②⑦.⓪.⓪.①:{p}/",
    "http://\uff11\uff12\uff17.\uff10.\uff10.\uff11:{p}/",
    "http://%31%32%37.0.0.1:{p}/",
    "http://[::1]:{p}/",
    "http://[::]:{p}/",
    "http://[0:0:0:0:0:0:0:1]:{p}/",
    "http://[::1%25lo]:{p}/",
    # IPv4 inside IPv6
    "http://[::ffff:127.0.0.1]:{p}/",
    "http://[::ffff:7f00:1]:{p}/",
    "http://[::127.0.0.1]:{p}/",
    "http://[::ffff:0:127.0.0.1]:{p}/",
    "http://[64:ff9b::7f00:1]:{p}/",
    "http://[64:ff9b:1::7f00:1]:{p}/",
    "http://[2002:7f00:1::]:{p}/",
    "http://[2001:0:7f00:1::80ff:fffe]:{p}/",
    # private, link-local, shared, reserved, multicast, documentation
    "http://10.0.0.1:{p}/",
    "http://172.16.0.1:{p}/",
    "http://172.31.255.255:{p}/",
    "http://192.168.1.1:{p}/",
    "http://169.254.1.1:{p}/",
    "http://100.64.0.1:{p}/",
    "http://192.0.0.192:{p}/",
    "http://192.0.2.1:{p}/",
    "http://198.51.100.1:{p}/",
    "http://203.0.113.1:{p}/",
    "http://198.18.0.1:{p}/",
    "http://192.88.99.1:{p}/",
    "http://224.0.0.1:{p}/",
    "http://239.255.255.250:{p}/",
    "http://240.0.0.1:{p}/",
    "http://255.255.255.255:{p}/",
    "http://[fc00::1]:{p}/",
    "http://[fe80::1]:{p}/",
    "http://[fec0::1]:{p}/",
    "http://[ff02::1]:{p}/",
    "http://[2001:db8::1]:{p}/",
    "http://[3fff::1]:{p}/",
    "http://[100::1]:{p}/",
    # metadata services
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.170.2/v2/credentials/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://100.100.100.200/latest/meta-data/",
    "http://168.63.129.16/metadata/",
    "http://2852039166/latest/meta-data/",
    "http://metadata.google.internal/computeMetadata/v1/",
    # names that resolve to internal addresses
    "http://localhost:{p}/",
    "http://LOCALHOST:{p}/",
    "http://localhost.localdomain:{p}/",
    "http://inner.example:{p}/",
    "http://mixed.example:{p}/",
    "http://mapped.example:{p}/",
    "http://six.example:{p}/",
    # addresses in which different parsers find different hosts
    "http://cdn.example@127.0.0.1:{p}/",
    "http://user:password@127.0.0.1:{p}/",
    "http://127.0.0.1:{p}@cdn.example/",
    "http://cdn.example:80@127.0.0.1:{p}/",
    "http://cdn.example\\@127.0.0.1:{p}/",
    "http:\\\\127.0.0.1:{p}/",
    "http://127.0.0.1:{p}\\.cdn.example/",
    "http://127.0.0.1:{p}#@cdn.example/",
    "http://127.0.0.1:{p}?@cdn.example/",
    "http:127.0.0.1:{p}/",
    "http:///127.0.0.1:{p}/",
    "http:/127.0.0.1:{p}/",
    " http://127.0.0.1:{p}/",
    "http://127.0.0.1\t:{p}/",
    "http://127.0.0.1:{p}/\r\nHost: cdn.example",
    "http://[127.0.0.1]:{p}/",
    "http://[::1:{p}/",
    "http://:{p}/",
    "//127.0.0.1:{p}/",
    "127.0.0.1:{p}",
    # other ports and schemes
    "http://127.0.0.1:22/",
    "http://127.0.0.1:5432/",
    "http://127.0.0.1:0/",
    "http://127.0.0.1:65616/",
    "http://127.0.0.1:-80/",
    "ftp://127.0.0.1:{p}/a.jpg",
    "gopher://127.0.0.1:{p}/_GET",
    "dict://127.0.0.1:{p}/info",
    "ldap://127.0.0.1:{p}/",
    "ws://127.0.0.1:{p}/",
    "file:///etc/passwd",
    "file://127.0.0.1/etc/passwd",
    "local:///etc/passwd",
    "data:image/png;base64,iVBORw0KGgo=",
    "javascript:alert(1)",
    "jar:http://127.0.0.1:{p}/a.jar!/a.jpg",
    "memory://a.jpg",
    "simplecache::http://127.0.0.1:{p}/a.jpg",
    "filecache::file:///etc/passwd",
    "zip://a.jpg::http://127.0.0.1:{p}/a.zip",
    "s3://127.0.0.1:{p}/a.jpg",
    "",
]

NAMES = {
    "mixed.example": ["8.8.8.8", "127.0.0.1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "six.example": ["::1"],
    "metadata.google.internal": ["169.254.169.254"],
}


def to_loopback(host: str, _: int) -> list[str]:
    """Resolves a name of NAMES to the addresses listed there, and any other name to loopback."""
    return NAMES.get(host, ["127.0.0.1"])


@pytest.fixture
def listening_servers() -> Iterator[list[ScriptedServer]]:
    """Yields servers on IPv4 and IPv6 loopback that share one port number."""
    with scripted_server() as four:
        try:
            with scripted_server("::1", four.port) as six:
                yield [four, six]
        except OSError:  # a machine without IPv6
            yield [four]


def strict(port: int) -> Fetcher:
    return Fetcher(
        EncoderSettings(fetch_ports=[port, 22, 5432], fetch_attempts=2, fetch_seconds=2).fetch_limits(), to_loopback
    )


def test_at_least_sixty_forbidden_addresses_are_tested() -> None:
    assert len(set(FORBIDDEN)) >= 60


def test_every_forbidden_address_is_refused_permanently_without_a_connection(
    listening_servers: list[ScriptedServer],
) -> None:
    fetcher = strict(listening_servers[0].port)
    passed = []
    for written in FORBIDDEN:
        try:
            fetcher.read(written.format(p=listening_servers[0].port))
            passed.append(f"{written}: was read")
        except ImageRejected as error:
            if not error.final:
                passed.append(f"{written}: {error.message}")
    assert passed == []
    assert [each.connections for each in listening_servers] == [0] * len(listening_servers)


def test_the_listening_servers_count_a_direct_connection(listening_servers: list[ScriptedServer]) -> None:
    for each in listening_servers:
        with socket.create_connection((each.host, each.port)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert connection.recv(1000)
    assert [each.connections for each in listening_servers] == [1] * len(listening_servers)


def test_a_redirect_to_a_forbidden_address_is_not_followed(listening_servers: list[ScriptedServer]) -> None:
    """An allowed server at 127.0.0.3 redirects to each forbidden address that a Location header can contain."""
    with scripted_server("127.0.0.3", listening_servers[0].port) as outside:
        settings = EncoderSettings.model_validate(
            {"fetch_networks": "127.0.0.3/32", "fetch_ports": f"{outside.port}", "fetch_attempts": 1}
        )
        fetcher = Fetcher(settings.fetch_limits(), to_loopback)
        followed = []
        for number, written in enumerate(FORBIDDEN):
            target = written.format(p=outside.port).strip()
            if not target.isascii() or not target.isprintable() or "//" not in target:
                continue  # a Location header cannot contain this address, or the address is relative to the same server
            outside.answers[f"/{number}"] = redirect(target)
            try:
                fetcher.read(outside.url(f"/{number}"))
                followed.append(written)
            except ImageRejected as error:
                if not error.final:
                    followed.append(f"{written}: {error.message}")
        assert followed == []
        assert len(outside.requests) > 60
        assert [each.connections for each in listening_servers] == [0] * len(listening_servers)


def test_a_name_is_resolved_for_each_connection_and_refused_once_its_address_is_forbidden(
    listening_servers: list[ScriptedServer],
) -> None:
    asked: list[str] = []

    def rebinding(host: str, _: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.3"] if len(asked) == 1 else ["127.0.0.1"]

    with scripted_server("127.0.0.3", listening_servers[0].port) as outside:
        outside.answers["/a"] = response(b"image")
        settings = EncoderSettings.model_validate(
            {"fetch_networks": "127.0.0.3/32", "fetch_ports": f"{outside.port}", "fetch_attempts": 1}
        )
        fetcher = Fetcher(settings.fetch_limits(), rebinding)
        assert fetcher.read(f"http://cdn.example:{outside.port}/a") == b"image"
        assert asked == ["cdn.example"]
        assert outside.connections == 1
        with pytest.raises(ImageRejected, match="not public") as raised:
            fetcher.read(f"http://cdn.example:{outside.port}/a")
        assert raised.value.final
        assert outside.connections == 1
    assert [each.connections for each in listening_servers] == [0] * len(listening_servers)


def test_an_error_does_not_reveal_the_address_of_an_internal_name() -> None:
    with pytest.raises(ImageRejected) as raised:
        Fetcher(EncoderSettings().fetch_limits(), lambda *_: ["10.20.30.40"]).read("http://db.internal/")
    assert "10.20" not in raised.value.message


def test_proxy_settings_in_environment_variables_are_ignored(
    listening_servers: list[ScriptedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, listening_servers[0].url())
    with pytest.raises(ImageRejected, match="not public"):
        strict(listening_servers[0].port).read("http://10.0.0.1/a.jpg")
    assert listening_servers[0].connections == 0


@pytest.mark.parametrize(
    "written",
    [
        "http://2130706433:{p}/a",
        "http://0x7f000001:{p}/a",
        "http://0177.0.0.1:{p}/a",
        "http://127.1:{p}/a",
        "http://127.0.0.1.:{p}/a",
        "http://user:password@127.0.0.1:{p}/a",
        "http://cdn.example@127.0.0.1:{p}/a",
        "http://127.0.0.1:{p}\\@cdn.example/a",
        "http://127.0.0.1:{p}?@cdn.example/a",
        "http://[::ffff:127.0.0.1]:{p}/a",
    ],
)
def test_notations_that_disguise_a_host_are_refused_even_if_the_host_is_allowed(written: str) -> None:
    with scripted_server() as site:
        site.answers["/a"] = response(b"image")
        settings = EncoderSettings.model_validate({"fetch_networks": "127.0.0.0/8", "fetch_ports": f"{site.port}"})
        fetcher = Fetcher(settings.fetch_limits(), to_loopback)
        assert fetcher.read(site.url("/a")) == b"image"
        with pytest.raises(ImageRejected) as raised:
            fetcher.read(written.format(p=site.port))
        assert raised.value.final
        assert len(site.requests) == 1


PIECES = (
    *(
        "http",
        "https",
        "s3",
        "file",
        ":",
        "/",
        "//",
        "@",
        "?",
        "#",
        "\\",
        "[",
        "]",
        "%",
        "%00",
        "..",
        ".",
        " ",
        "\t",
        "\n",
    ),
    *("127.0.0.1", "::1", "localhost", "cdn.example", "0x7f", "1", "80", "99999999999", "::ffff:", "xn--", "-", "_"),
    *("\u3002", "\uff0f", "\ud800", "\u00df", "\u202e", "a" * 300),
)


@pytest.fixture(scope="module")
def reader() -> Iterator[Fetcher]:
    made = Fetcher(EncoderSettings(fetch_attempts=1, fetch_seconds=2).fetch_limits(), to_loopback)
    yield made
    made.close()


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("".join)))
def test_any_text_that_is_used_as_an_address_raises_image_rejected_and_no_other_error(
    reader: Fetcher, written: str
) -> None:
    for address in (written, f"http://{written}", f"https://cdn.example{written}", f"s3://{written}"):
        with pytest.raises(ImageRejected):
            reader.read(address)
