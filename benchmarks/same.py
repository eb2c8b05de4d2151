"""Before anything is timed: do all servers give the same answers, and refuse the same?"""

import json
import uuid
from urllib.parse import parse_qsl

from benchmarks.load import Failure
from benchmarks.rows import KEY, Asked, kind
from benchmarks.servers import BARE, SHOP, Server

TRIED = 5
OF_THE_MOMENT = ("id", "created", "modified", "at")  # in answers to what was just written


def check_same(row, servers, requests):
    """Fail unless all answer these requests alike; return how many orders each of them got."""
    speaking = [server for server in servers if isinstance(server, Server)]
    tried = requests[:TRIED]
    expected = [answer(speaking[0], each, row) for each in tried]
    for server in speaking:
        for each, (status, body) in zip(tried, expected, strict=True):
            got = (status, body) if server.name == SHOP else answer(server, each, row)
            if server.name == BARE:
                got = (got[0], body)  # one answer stands for all of a kind
            if row.conditional and got[0] == 304:
                continue
            if got != (200 if each.method == "GET" else 201, body):
                raise Failure(
                    f"{row.name}: {server.name} answers {each.method} {each.path} with\n"
                    f"{got[0]} {json.dumps(got[1])}\nand {SHOP} with\n{status} {json.dumps(body)}"
                )
    return sum(each.method == "POST" for each in tried)


def answer(server, asked, row):
    """Status and JSON, without what cannot be the same if orders are placed."""
    if server.name == SHOP:
        asked = asked._replace(headers={})  # the whole answer, where others do not revalidate
    status, _, body = server.ask(with_key(asked))
    try:
        body = json.loads(body) if body else None
    except ValueError:
        raise Failure(f"{server.name} answers {asked.path} with {status}:\n{body}") from None
    return status, comparable(body, OF_THE_MOMENT if row.writes else ())


def with_key(asked):
    if KEY not in asked.headers.values():
        return asked
    return asked._replace(headers={"Idempotency-Key": uuid.uuid4().hex})


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
        if not isinstance(server, Server) or server.name == BARE:
            continue
        before = server.database.orders()
        for asked, statuses in refusals(shop, retired):
            status, _, body = server.ask(asked)
            if status not in statuses:
                raise Failure(
                    f"{server.name} answers {asked.method} {asked.path} {asked.body} with "
                    f"{status}, not with {' or '.join(map(str, statuses))}:\n{body}"
                )
        first, again, other = keyed(shop)
        answers = [server.ask(each) for each in (first, again, other)]
        if [status for status, *_ in answers] != [201, 201, 422]:
            raise Failure(f"{server.name} answers one key twice with {answers}")
        if json.loads(answers[0][2]) != json.loads(answers[1][2]):
            raise Failure(f"{server.name} replays another order: {answers}")
        if server.database.orders() != before + 1:
            raise Failure(f"{server.name} wrote an order that it refused.")


def order(shop, product, quantity=1, token=None, **more):
    body = {"items": [{"product": product, "quantity": quantity}], **more}
    return Asked("POST", "/api/orders/", token or shop.tokens[0], body)


def refusals(shop, retired):
    good = order(shop, shop.products[0])
    yield good._replace(token=None), (401,)
    yield good._replace(token="0" * 40), (401,)
    yield Asked("GET", "/api/orders/"), (401,)
    yield order(shop, shop.products[0], quantity=0), (400, 422)
    yield order(shop, shop.products[0], quantity=10_001), (400, 422)
    yield order(shop, 10**12), (400, 422)
    yield order(shop, shop.products[0], expected_total="0.01"), (409,)
    yield order(shop, retired), (409,)
    yield Asked("GET", f"/api/products/{retired}/"), (404,)


def keyed(shop):
    key = {"Idempotency-Key": uuid.uuid4().hex}
    first = order(shop, shop.products[0])._replace(headers=key)
    return first, first, order(shop, shop.products[1])._replace(headers=key)


def capture(server, row, requests):
    """What the shop answers, for the bare view to repeat: `{kind: (status, body)}`"""
    answers = {}
    for asked in requests[:TRIED]:
        status, _, body = server.ask(with_key(asked))
        if status not in (200, 201, 304):
            raise Failure(f"{row.name}: {asked.method} {asked.path} is a {status}:\n{body}")
        conditional = "If-None-Match" in asked.headers
        answers[kind(asked.method, asked.path, conditional)] = (status, body)
    return answers
