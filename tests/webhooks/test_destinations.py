"""Webhooks reach public addresses only: server-side request forgery is refused."""

import socket

import pytest
from django.core.exceptions import ValidationError

from tests.webhooks.receiver import receiving
from webhooks.client import Deadline, DeliveryError, exchange, post
from webhooks.destinations import (
    ForbiddenAddress,
    check_addresses,
    is_public,
    parse_url,
    validate_url,
)

FORBIDDEN_URLS = [
    # IPv4 in the spellings that resolvers take.
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://0/",
    "https://0.0.0.0/",
    "https://127.255.255.254:8443/",
    "https://10.0.0.1/",
    "https://10.1/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.1.1/",
    "https://3232235777/",
    "https://100.64.0.1/",
    "https://100.100.100.200/latest/meta-data/",
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/latest/meta-data/",
    "https://0251.0376.0251.0376/",
    "https://168.63.129.16/",
    "https://192.0.0.192/",
    "https://192.0.2.1/",
    "https://192.88.99.1/",
    "https://198.18.0.1/",
    "https://198.51.100.1/",
    "https://203.0.113.1/",
    "https://224.0.0.1/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    # IPv6, also with an address of IPv4 in it.
    "https://[::]/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::127.0.0.1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::ffff:8.8.8.8]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b:1::a00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[2001:db8::1]/",
    "https://[100::1]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    # Names that resolve to the machine itself.
    "https://localhost/",
    "https://LOCALHOST:443/",
]
MALFORMED_URLS = [
    "",
    "https://",
    "https:///path",
    "//example.com/",
    "http://example.com/",  # neither debug nor an allowed host
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "https://user@example.com/",
    "https://user:password@example.com/",
    "https://example.com@127.0.0.1/",
    "https://127.0.0.1#@example.com/",
    "https://example.com\\@127.0.0.1/",
    "https://127.0.0.1./",
    "https://localhost./",
    "https://127.0.0.1%00.example.com/",
    "https://%6c%6f%63alhost/",
    "https://[fe80::1%25lo]/",
    "https://[::1/",
    "https://①②⑦.⓪.⓪.①/",
    "https://loc\u00adalhost/",
    "https://example。com/",
    "https://example.com/\r\nHost: localhost",
    "https://example.com/ path",
    "https://example.com/é",
    "https://example.com:0/",
    "https://example.com:65536/",
    "https://example.com:443:80/",
    " https://example.com/",
]


@pytest.mark.parametrize("url", FORBIDDEN_URLS + MALFORMED_URLS)
def test_url_is_refused_when_it_is_saved_and_when_it_is_used(url):
    with pytest.raises(ValidationError):
        validate_url(url)
    result = post(url, b"{}", {})
    assert (result.status, result.error) == (None, DeliveryError.FORBIDDEN)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "2a00::1"])
def test_public_address_is_accepted(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "url", ["https://nowhere.invalid/", "https://a..b/", f"https://{'a' * 99}/"]
)
def test_unknown_host_can_be_saved_but_not_used(url):
    validate_url(url)
    assert post(url, b"{}", {}).error == DeliveryError.UNRESOLVED


def test_one_private_address_among_public_ones_is_refused():
    addresses = [(socket.AF_INET, (ip, 443)) for ip in ("8.8.8.8", "10.0.0.1")]
    with pytest.raises(ForbiddenAddress):
        check_addresses(parse_url("https://example.com/"), addresses)


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        ("localhost", "https://LocalHost:8443/"),
        ("127.0.0.1", "http://127.0.0.1/"),
        ("[::1]", "http://[::1]:9/"),
    ],
)
def test_named_host_may_be_private(settings, allowed, url):
    settings.WEBHOOK_ALLOWED_HOSTS = [allowed]
    validate_url(url)
    settings.WEBHOOK_ALLOWED_HOSTS = [f"other-{allowed}", "example.com"]
    with pytest.raises(ValidationError):
        validate_url(url)


def test_connection_goes_to_the_checked_address_whatever_the_name_resolves_to_by_then(settings):
    settings.DEBUG = True  # allows plain HTTP
    destination = parse_url("http://rebinding.invalid:8000/hook")
    with receiving() as receiver:
        addresses = [(socket.AF_INET, receiver.server_address)]
        assert exchange(destination, addresses, Deadline(5), b'{"type": "x"}', {}) == (204, 0)
        assert receiver.headers[0]["Host"] == "rebinding.invalid:8000"


def test_proxy_of_the_environment_is_not_used(receiver, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    assert post(receiver.url, b'{"type": "x"}', {}).status == 204
