"""Check, before anything is timed, that all servers return the same responses and errors."""

import json
import re
import uuid
from urllib.parse import parse_qsl

from benchmarks.load import Failure
from benchmarks.rows import KEY, Request, response_key
from benchmarks.servers import BARE

SAMPLE_SIZE = 5
VOLATILE_FIELDS = ("id", "created", "modified", "at")  # in responses to writes


def check_same(row, servers, requests):
    """Fail unless all servers respond to the first requests as the first one, a shop, does."""
    shop, sample = servers[0], requests[:SAMPLE_SIZE]
    # Without If-None-Match: the peers do not revalidate, and return the whole response.
    expected = [fetch_response(shop, request._replace(headers={}), row) for request in sample]
    for server in servers:
        for request, (status, body) in zip(sample, expected, strict=True):
            actual = (status, body) if server is shop else fetch_response(server, request, row)
            if server.name == BARE:
                actual = (actual[0], body)  # it returns one response for many requests
            if row.conditional and actual[0] == 304:
                continue
            if actual != (200 if request.method == "GET" else 201, body):
                raise Failure(
                    f"{row.name}: {server.name} answers {request.method} {request.path} with\n"
                    f"{actual[0]} {json.dumps(actual[1])}\nand {shop.name} with\n"
                    f"{status} {json.dumps(body)}"
                )


def fetch_response(server, request, row):
    """Return status and JSON, without fields that differ each time an order is placed."""
    status, _, body = server.send(with_key(request))
    try:
        body = json.loads(body) if body else None
    except ValueError:
        raise Failure(f"{server.name} answers {request.path} with {status}:\n{body}") from None
    return status, normalize(body, VOLATILE_FIELDS if row.writes else ())


def with_key(request):
    if KEY not in request.headers.values():
        return request
    return request._replace(headers={"Idempotency-Key": uuid.uuid4().hex})


def normalize(body, ignored):
    """Remove the ignored fields, a third place of money, and the order of parameters in links."""
    if isinstance(body, list):
        return [normalize(item, ignored) for item in body]
    if isinstance(body, dict):
        return {key: normalize(value, ignored) for key, value in body.items() if key not in ignored}
    if isinstance(body, str) and re.fullmatch(r"[0-9]+\.[0-9]{3}", body):
        return body.removesuffix("0")  # the peers show the three places of the column
    if isinstance(body, str) and body.startswith("http"):
        url, _, query = body.partition("?")
        return [url, sorted(parse_qsl(query))]
    return body


def check_error_responses(servers, shop, retired_id):
    """Fail unless each server rejects bad requests, replays keys, and writes nothing for either."""
    for server in servers:
        if server.name == BARE:
            continue
        before = server.database.orders()
        for request, statuses in error_cases(shop, retired_id):
            status, _, body = server.send(request)
            if status not in statuses:
                raise Failure(
                    f"{server.name} answers {request.method} {request.path} {request.body} with "
                    f"{status}, not with {' or '.join(map(str, statuses))}:\n{body}"
                )
        first, again, other = requests_with_key(shop)
        responses = [server.send(request) for request in (first, again, other)]
        if [status for status, *_ in responses] != [201, 201, 422]:
            raise Failure(f"{server.name} answers one key twice with {responses}")
        if json.loads(responses[0][2]) != json.loads(responses[1][2]):
            raise Failure(f"{server.name} replays another order: {responses}")
        if server.database.orders() != before + 1:
            raise Failure(f"{server.name} wrote an order that it refused.")


def order(shop, product, quantity=1, token=None, **fields):
    body = {"items": [{"product": product, "quantity": quantity}], **fields}
    return Request("POST", "/api/orders/", token or shop.tokens[0], body)


def error_cases(shop, retired_id):
    valid = order(shop, shop.products[0])
    yield valid._replace(token=None), (401,)
    yield valid._replace(token="0" * 40), (401,)
    yield Request("GET", "/api/orders/"), (401,)
    yield order(shop, shop.products[0], quantity=0), (400, 422)
    yield order(shop, shop.products[0], quantity=10_001), (400, 422)
    yield order(shop, 10**12), (400, 422)
    yield order(shop, shop.products[0], expected_total="0.01"), (409,)
    yield order(shop, retired_id), (400, 409)
    yield Request("GET", f"/api/products/{retired_id}/"), (404,)


def requests_with_key(shop):
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    first = order(shop, shop.products[0])._replace(headers=headers)
    return first, first, order(shop, shop.products[1])._replace(headers=headers)


def capture_responses(server, row, requests):
    """Return the shop's responses, for the bare view to repeat: `{key: (status, body)}`."""
    responses = {}
    for request in requests[:SAMPLE_SIZE]:
        status, _, body = server.send(with_key(request))
        if status not in (200, 201, 304):
            raise Failure(f"{row.name}: {request.method} {request.path} is a {status}:\n{body}")
        conditional = "If-None-Match" in request.headers
        responses[response_key(request.method, request.path, conditional)] = (status, body)
    return responses
