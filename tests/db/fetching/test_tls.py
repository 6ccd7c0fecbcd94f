"""The fetcher connects to the address that it has checked and compares the certificate with the host name."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from db.fetching.fetcher import Fetcher
from tests.support.scripted_server import ScriptedServer, redirect, refusal, response, scripted_server

MakeFetcher = Callable[..., Fetcher]


def here(*_: object) -> list[str]:
    return ["127.0.0.1"]


@pytest.fixture
def trusted_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """Returns a certificate authority that the fetchers of this test trust."""
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return made


@pytest.fixture
def serve_with_certificate(trusted_authority: trustme.CA) -> Iterator[Callable[[trustme.LeafCert], ScriptedServer]]:
    """Yields a function that serves an image with a given certificate. The server's `requests` also list the host name
    of each TLS handshake (SNI)."""
    with ExitStack() as running:

        def serve(certificate: trustme.LeafCert) -> ScriptedServer:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(context)
            site = running.enter_context(scripted_server(tls=context))
            context.sni_callback = lambda _socket, name, _context: site.requests.append((f"SNI {name}", None))  # type: ignore[func-returns-value, arg-type]
            site.answers["/"] = response(b"image")
            return site

        yield serve


def test_a_certificate_is_checked_against_the_host_name_of_the_url(
    fetcher: MakeFetcher,
    trusted_authority: trustme.CA,
    serve_with_certificate: Callable[[trustme.LeafCert], ScriptedServer],
) -> None:
    site = serve_with_certificate(trusted_authority.issue_cert("cdn.example"))
    made = fetcher(here, fetch_ports=[site.port])
    assert made.read(f"https://cdn.example:{site.port}/") == b"image"
    assert site.paths == ["SNI cdn.example", "/"]
    error = refusal(made, f"https://other.example:{site.port}/")
    assert "certificate is not valid for 'other.example'" in error.message
    assert not error.final
    assert "/" not in site.paths[2:]


def test_an_untrusted_certificate_is_refused(
    fetcher: MakeFetcher, serve_with_certificate: Callable[[trustme.LeafCert], ScriptedServer]
) -> None:
    site = serve_with_certificate(trustme.CA().issue_cert("cdn.example"))
    error = refusal(fetcher(here, fetch_ports=[site.port]), f"https://cdn.example:{site.port}/")
    assert "CERTIFICATE_VERIFY_FAILED" in error.message
    assert "/" not in site.paths


def test_a_redirect_from_https_to_http_is_refused_and_from_http_to_https_is_followed(
    fetcher: MakeFetcher,
    site: ScriptedServer,
    trusted_authority: trustme.CA,
    serve_with_certificate: Callable[[trustme.LeafCert], ScriptedServer],
) -> None:
    safe = serve_with_certificate(trusted_authority.issue_cert("cdn.example"))
    site.answers |= {"/": response(b"image"), "/up": redirect(f"https://cdn.example:{safe.port}/")}
    safe.answers["/down"] = redirect(f"http://cdn.example:{site.port}/")
    made = fetcher(here, fetch_ports=[site.port, safe.port])
    error = refusal(made, f"https://cdn.example:{safe.port}/down")
    assert "from https to http" in error.message
    assert error.final
    assert site.connections == 0
    assert made.read(f"http://cdn.example:{site.port}/up") == b"image"
