"""An operator can allow private hosts by name, and a refusal names the setting that allows the address."""

import pytest

from db.fetching.fetcher import Fetcher
from db.images.errors import ImageRejected
from encoder.settings import EncoderSettings
from tests.support.scripted_server import response, scripted_server


@pytest.mark.parametrize(
    ("hosts", "name", "allowed"),
    [
        ("images.corp.example", "images.corp.example", True),
        ("Images.Corp.Example", "images.corp.example", True),
        ("images.corp.example", "IMAGES.corp.example", True),
        (".corp.example", "a.b.corp.example", True),
        ("*.corp.example", "images.corp.example", True),
        (".corp.example", "corp.example", False),
        (".corp.example", "evilcorp.example", False),
        ("corp.example", "images.corp.example", False),
        ("images.corp.example", "images.corp.example.attacker.example", False),
        ("other.example,127.0.0.1", "127.0.0.1", True),
    ],
)
def test_only_a_listed_host_may_have_a_private_address(hosts: str, name: str, allowed: bool) -> None:
    with scripted_server() as site:
        site.answers["/"] = response(b"image")
        limits = EncoderSettings(fetch_hosts=hosts, fetch_ports=[site.port], fetch_attempts=1).fetch_limits()
        fetcher = Fetcher(limits, lambda *_: ["127.0.0.1"])
        try:
            if allowed:
                assert fetcher.read(f"http://{name}:{site.port}/") == b"image"
            else:
                with pytest.raises(ImageRejected, match="WINDOWSHOP_ENCODER_FETCH_HOSTS"):
                    fetcher.read(f"http://{name}:{site.port}/")
                assert site.connections == 0
        finally:
            fetcher.close()


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "::ffff:a9fe:a9fe",
        "fe80::1",
        "fd00:ec2::254",
        "fd20:ce::254",
        "100.100.100.200",
        "::ffff:100.100.100.200",
        "168.63.129.16",
    ],
)
def test_a_listed_host_with_the_address_of_a_metadata_service_is_refused(address: str) -> None:
    limits = EncoderSettings(fetch_hosts=".corp.example", fetch_attempts=1).fetch_limits()
    fetcher = Fetcher(limits, lambda *_: [address])
    with pytest.raises(ImageRejected, match="not public"):
        fetcher.read("http://images.corp.example/")
    fetcher.close()


def test_the_error_for_a_refused_port_names_the_setting_that_allows_the_port() -> None:
    fetcher = Fetcher(EncoderSettings().fetch_limits())
    with pytest.raises(ImageRejected, match="port 8080 is not allowed.*WINDOWSHOP_ENCODER_FETCH_PORTS"):
        fetcher.read("http://cdn.example:8080/")
    fetcher.close()
