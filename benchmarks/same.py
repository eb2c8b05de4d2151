"""Before anything is timed: do all servers give the same answers, and refuse the same?"""

import json
import uuid
from urllib.parse import parse_qsl

from benchmarks.load import Failure
from benchmarks.rows import KEY, Request, answer_key
from benchmarks.servers import BARE

SAMPLE_SIZE = 5
OF_THE_MOMENT = ("id", "created", "modified", "at")  # in answers to what was just written


def check_same(row, servers, requests):
    """Fail unless all answer the first of these requests as the first server, a shop, does."""
    shop, sample = servers[0], requests[:SAMPLE_SIZE]
    # The whole answer, where others do not revalidate.
    expected = [answer(shop, each._replace(headers={}), row) for each in sample]
    for server in servers:
        for request, (status, body) in zip(sample, expected, strict=True):
            got = (status, body) if server is shop else answer(server, request, row)
            if server.name == BARE:
                got = (got[0], body)  # one answer stands for all of a kind
            if row.conditional and got[0] == 304:
                continue
            if got != (200 if request.method == "GET" else 201, body):
                raise Failure(
                    f"{row.name}: {server.name} answers {request.method} {request.path} with\n"
                    f"{got[0]} {json.dumps(got[1])}\nand {shop.name} with\n"
                    f"{status} {json.dumps(body)}"
                )


def answer(server, request, row):
    """Status and JSON, without what cannot be the same if orders are placed."""
    status, _, body = server.send(with_key(request))
    try:
        body = json.loads(body) if body else None
    except ValueError:
        raise Failure(f"{server.name} answers {request.path} with {status}:\n{body}") from None
    return status, comparable(body, OF_THE_MOMENT if row.writes else ())


def with_key(request):
    if KEY not in request.headers.values():
        return request
    return request._replace(headers={"Idempotency-Key": uuid.uuid4().hex})


def comparable(body, ignored):
    """The parameters of a link mean the same in any order."""
    if isinstance(body, list):
        return [comparable(each, ignored) for each in body]
    if isinstance(body, dict):
        return {
            key: comparable(value, ignored) for key, value in body.items() if key not in ignored
        }
    if isinstance(body, str) and body.startswith("http"):
        address, _, parameters = body.partition("?")
        return [address, sorted(parse_qsl(parameters))]
    return body


def check_refusals(servers, shop, retired):
    """Fail unless each refuses what it must, replays what it must, and writes nothing of it."""
    for server in servers:
        if server.name == BARE:
            continue
        before = server.database.orders()
        for request, statuses in refusals(shop, retired):
            status, _, body = server.send(request)
            if status not in statuses:
                raise Failure(
                    f"{server.name} answers {request.method} {request.path} {request.body} with "
                    f"{status}, not with {' or '.join(map(str, statuses))}:\n{body}"
                )
        first, again, other = keyed(shop)
        answers = [server.send(each) for each in (first, again, other)]
        if [status for status, *_ in answers] != [201, 201, 422]:
            raise Failure(f"{server.name} answers one key twice with {answers}")
        if json.loads(answers[0][2]) != json.loads(answers[1][2]):
            raise Failure(f"{server.name} replays another order: {answers}")
        if server.database.orders() != before + 1:
            raise Failure(f"{server.name} wrote an order that it refused.")


def order(shop, product, quantity=1, token=None, **more):
    body = {"items": [{"product": product, "quantity": quantity}], **more}
    return Request("POST", "/api/orders/", token or shop.tokens[0], body)


def refusals(shop, retired):
    good = order(shop, shop.products[0])
    yield good._replace(token=None), (401,)
    yield good._replace(token="0" * 40), (401,)
    yield Request("GET", "/api/orders/"), (401,)
    yield order(shop, shop.products[0], quantity=0), (400, 422)
    yield order(shop, shop.products[0], quantity=10_001), (400, 422)
    yield order(shop, 10**12), (400, 422)
    yield order(shop, shop.products[0], expected_total="0.01"), (409,)
    yield order(shop, retired), (400, 409)
    yield Request("GET", f"/api/products/{retired}/"), (404,)


def keyed(shop):
    key = {"Idempotency-Key": uuid.uuid4().hex}
    first = order(shop, shop.products[0])._replace(headers=key)
    return first, first, order(shop, shop.products[1])._replace(headers=key)


def capture(server, row, requests):
    """What the shop answers, for the bare view to repeat: `{key: (status, body)}`"""
    answers = {}
    for request in requests[:SAMPLE_SIZE]:
        status, _, body = server.send(with_key(request))
        if status not in (200, 201, 304):
            raise Failure(f"{row.name}: {request.method} {request.path} is a {status}:\n{body}")
        conditional = "If-None-Match" in request.headers
        answers[answer_key(request.method, request.path, conditional)] = (status, body)
    return answers
