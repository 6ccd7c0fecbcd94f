"""Decides which URLs may be requested: http and https, usual ports, public hosts, and the operator's exceptions."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import httpx2

from db.images.errors import AddressForbidden, ImageRejected

Ip = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PORTS = {"http": 80, "https": 443}

# `is_global` is true for these networks in some or all versions of Python, although no public image is there. The
# networks are protocol assignments, 6to4 relays, and the address of Azure's metadata service.
_CLOSED_V4 = [ip_network(n) for n in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")]
# An IPv6 address must be in the allocated unicast range. The networks of Teredo and 6to4, whose addresses embed an IPv4
# address, are excluded. The networks for documentation are excluded, too. Mapped addresses and NAT64 are outside the
# unicast range.
_UNICAST_V6 = ip_network("2000::/3")
_CLOSED_V6 = [ip_network(n) for n in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]

# Addresses of the metadata services of Amazon, Google, Alibaba and Azure, which give credentials to virtual machines.
# (The link-local networks have further such addresses.)
_CREDENTIALS = ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16")

_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
# A host name whose last label is a number is refused, because resolvers read 0x7f.1 and 2130706433 as 127.0.0.1.
_NUMBER = re.compile(r"(\d+|0x[0-9a-f]*)")


@dataclass(frozen=True, slots=True)
class Reachable:
    networks: Sequence[Network] = ()  # networks that are allowed although they are not public
    ports: Collection[int] = ()  # ports that are allowed besides 80 and 443
    # Lower-case names of hosts whose addresses need not be public. A name with a leading dot allows all subdomains.
    hosts: Collection[str] = ()
    settings: str | None = "WINDOWSHOP_ENCODER_FETCH"  # prefix of the settings that allow more; None if no setting does

    def url(self, written: str) -> httpx2.URL:
        """Parse and check a URL. Requests use the result, so they go to the checked URL. Raises ImageRejected."""
        if "\\" in written or written != written.strip():
            raise ImageRejected("not a URL")
        try:
            url = httpx2.URL(written)
        except (httpx2.InvalidURL, ValueError) as error:
            raise ImageRejected(f"not a URL: {error}") from None
        if url.scheme not in PORTS:
            scheme = f"the scheme {url.scheme}" if url.scheme else "no scheme"
            raise ImageRejected(f"a URL with {scheme} is not fetched; only http and https are")
        if "@" in written.partition("://")[2].partition("/")[0] or url.userinfo:
            raise ImageRejected("a URL with a user name or an @ before the path is not fetched")
        host = url.raw_host.decode("ascii")
        if _literal(host) is None and (not _HOST.fullmatch(host) or _NUMBER.fullmatch(host.rpartition(".")[2])):
            raise ImageRejected("not a host name")
        if url.port is not None and url.port not in {*PORTS.values(), *self.ports}:
            more = f", and those of {self.settings}_PORTS" if self.settings else ""
            raise ImageRejected(f"port {url.port} is not allowed; 80 and 443 are{more}")
        return url

    def follow(self, url: httpx2.URL, location: str) -> httpx2.URL:
        """Return the URL that a redirect leads to. Raises ImageRejected if that URL may not be requested."""
        try:
            target = self.url(str(url.join(location)))
        except (httpx2.InvalidURL, ValueError):
            raise ImageRejected("redirected to something that is not a URL") from None
        except ImageRejected as error:
            raise ImageRejected(f"redirected: {error.message}") from None
        if url.scheme == "https" and target.scheme != "https":
            raise ImageRejected("redirected from https to http")
        return target

    def check(self, ip: Ip, host: str) -> None:
        """Raise AddressForbidden for a forbidden address of a host.

        The error does not name the address, because an internal name server may have returned it.
        """
        if any(ip in network for network in self.networks) or _is_public(ip):
            return
        if self._is_listed(host) and not _serves_credentials(ip):
            return
        remedy = f"; {self.settings}_HOSTS or {self.settings}_NETWORKS can allow it" if self.settings else ""
        raise AddressForbidden(f"leads to an address that is not public{remedy}")

    def _is_listed(self, host: str) -> bool:
        host = host.lower()
        return any(host == each or (each.startswith(".") and host.endswith(each)) for each in self.hosts)


def _serves_credentials(ip: Ip) -> bool:
    """Return whether a cloud may serve the credentials of its machines at this address. An entry of `hosts`
    does not allow such an address: the entry can cover all subdomains, and somebody else can control the name."""
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_link_local or str(mapped or ip) in _CREDENTIALS


def _is_public(ip: Ip) -> bool:
    if not ip.is_global or ip.is_multicast or ip.is_reserved:
        return False
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _CLOSED_V4)
    return ip in _UNICAST_V6 and ip.scope_id is None and not any(ip in network for network in _CLOSED_V6)


def _literal(host: str) -> Ip | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
