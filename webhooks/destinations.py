"""Where webhooks may be sent: to public addresses, and to the hosts of WEBHOOK_ALLOWED_HOSTS.

Otherwise whoever enters a URL could reach what only the shop's own network reaches, such as a
database or the credentials of a cloud server (server-side request forgery).
"""

import re
import socket
from ipaddress import IPv6Address, ip_address, ip_network
from threading import Thread
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import ValidationError

# One pattern says which part is the host, so no other reading of the URL is ever asked. It has no
# user, no fragment, no dot at the end of the host, no escape in it and nothing beyond ASCII.
URL = re.compile(
    r"(https?)://([a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?"
    r"([/?][!\"$-~]*)?",
    re.IGNORECASE | re.ASCII,
)
PORTS = {"http": 80, "https": 443}
SAVING_TIMEOUT = 1  # seconds that saving a URL waits for the resolver, with its row locked

# Of IPv6, only this is handed out; it leaves out mapped and translated (NAT64) addresses of IPv4.
GLOBAL_IPV6 = ip_network("2000::/3")
FORBIDDEN = [
    ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments, some of which Python holds to be global
        "192.88.99.0/24",  # relays of 6to4
        "168.63.129.16/32",  # what Azure's servers ask for their settings
        "2001::/23",  # protocol assignments, Teredo among them
        "2002::/16",  # 6to4, which embeds addresses of IPv4
        "3fff::/20",  # documentation
    )
]


class ForbiddenAddress(Exception):
    """The host has an address that is not public."""


class Destination(NamedTuple):
    scheme: str
    host: str  # without the brackets of IPv6
    port: int
    target: str  # path and query

    @property
    def is_allowed_privately(self):
        hosts = (host.strip("[]") for host in settings.WEBHOOK_ALLOWED_HOSTS)
        return self.host in hosts

    @property
    def netloc(self):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def parse_url(url):
    """Return the Destination. Raises ValidationError."""
    match = URL.fullmatch(url)
    if not match:
        raise ValidationError(
            "Enter a URL such as https://example.com/path: ASCII only, without user, password, "
            "fragment, or a dot after the host."
        )
    scheme, host, port, target = match.groups()
    scheme, host = scheme.lower(), host.lower().strip("[]")
    port = int(port or PORTS[scheme])
    if not 0 < port < 65_536:
        raise ValidationError("The port must be between 1 and 65535.")
    target = target or "/"
    destination = Destination(scheme, host, port, target if target[0] == "/" else f"/{target}")
    if scheme == "http" and not (settings.DEBUG or destination.is_allowed_privately):
        raise ValidationError("The URL must begin with https://.")
    return destination


def validate_url(url):
    """Refuse a malformed URL, and one whose host has a private address by now."""
    destination = parse_url(url)
    try:
        resolve(destination, SAVING_TIMEOUT)
    except ForbiddenAddress as exc:
        raise ValidationError("This host is not public.") from exc
    except OSError:
        pass  # unknown by now: it is checked again each time before something is sent


def is_public(address):
    """Return whether an address, a text, is one of the public internet."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip not in GLOBAL_IPV6:
        return False
    is_forbidden = any(ip in network for network in FORBIDDEN if network.version == ip.version)
    return ip.is_global and not ip.is_multicast and not is_forbidden


def check_addresses(destination, addresses):
    """Raise ForbiddenAddress unless all addresses, `(family, sockaddr)`, are public or allowed."""
    if not destination.is_allowed_privately:
        for _, sockaddr in addresses:
            if not is_public(sockaddr[0]):
                raise ForbiddenAddress(destination.host)


def resolve(destination, timeout):
    """Return the addresses of the host, checked, to connect to: a list of `(family, sockaddr)`.

    Raises ForbiddenAddress, or OSError if there are none within `timeout` seconds.
    """
    results = []

    def ask():
        try:
            # As bytes, so that Python does not rewrite the name.
            host = destination.host.encode()
            results.append(socket.getaddrinfo(host, destination.port, type=socket.SOCK_STREAM))
        except OSError as exc:
            results.append(exc)

    thread = Thread(target=ask, daemon=True)  # the resolver's own timeout is longer
    thread.start()
    thread.join(timeout)
    if not results:
        raise TimeoutError
    (result,) = results
    if isinstance(result, OSError):
        raise result
    addresses = [(family, sockaddr) for family, _, _, _, sockaddr in result]
    check_addresses(destination, addresses)
    return addresses
