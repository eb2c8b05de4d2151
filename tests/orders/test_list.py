import base64
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders.models import Order
from tests import factories

NOON = datetime.fromisoformat("2026-05-01T12:00:00+00:00")


def ids(response):
    assert response.status_code == 200, response.json()
    return [order["id"] for order in response.json()["results"]]


def pages(client, path):
    while path:
        response = client.get(path)
        yield ids(response)
        path = response.json()["next"]


@pytest.fixture
def orders(alice, product):
    """Ids of six orders of alice, placed an hour apart from noon on; oldest first."""
    placed = [factories.place(alice, {product: 1}) for _ in range(6)]
    for hour, order in enumerate(placed):
        created = NOON + timedelta(hours=hour)
        Order.objects.filter(pk=order.pk).update(created=created, modified=created)
    return [order.pk for order in placed]


def test_history_is_the_customers_own_and_newest_first(as_alice, as_bob, orders):
    assert ids(as_alice.get("/api/orders/")) == orders[::-1]
    assert ids(as_bob.get("/api/orders/")) == []


def test_cursor_leads_through_the_history_and_back(as_alice, orders):
    forward = list(pages(as_alice, "/api/orders/?items_per_page=4"))
    assert forward == [orders[:1:-1], orders[1::-1]]
    last = as_alice.get("/api/orders/?items_per_page=4")
    last = as_alice.get(last.json()["next"])
    assert ids(as_alice.get(last.json()["previous"])) == forward[0]


def test_order_placed_while_paging_hides_and_repeats_no_other(as_alice, alice, product, orders):
    first = as_alice.get("/api/orders/?items_per_page=3")
    factories.place(alice, {product: 1})
    assert ids(first) + ids(as_alice.get(first.json()["next"])) == orders[::-1]


@pytest.mark.parametrize(
    "cursor", ["p=0", "r=1&p=999999999999999999", "r=1&p=0", "p=999999999999999999"]
)
def test_cursor_beyond_either_end_leads_back(as_alice, orders, cursor):
    encoded = base64.b64encode(cursor.encode()).decode()
    response = as_alice.get("/api/orders/", {"cursor": encoded})
    links = [response.json()[link] for link in ("next", "previous") if response.json()[link]]
    assert links
    assert all(as_alice.get(link).status_code == 200 for link in links)


def test_page_size_is_25_by_default_and_at_most_100(as_alice, alice, product):
    product.update_fields(quantity_in_stock=1_000)
    for _ in range(101):
        factories.place(alice, {product: 1})
    assert len(ids(as_alice.get("/api/orders/"))) == 25
    assert len(ids(as_alice.get("/api/orders/?items_per_page=1000"))) == 100


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("created_after=2026-05-01T15:00:00Z", [5, 4, 3]),
        ("created_before=2026-05-01T15:00:00Z", [2, 1, 0]),
        ("created_after=2026-05-01T13:00:00Z&created_before=2026-05-01T15:00:00Z", [2, 1]),
        ("created_after=2026-05-01T17:00:00%2B02:00", [5, 4, 3]),
        ("created_after=2026-05-02T09:00:00%2B18:01", [5, 4, 3]),
        ("created_after=2026-05-02", []),
        ("created_before=2026-05-02", [5, 4, 3, 2, 1, 0]),
        ("modified_after=2026-05-01T16:00:00Z", [5, 4]),
        ("status=shipped", [2]),
        ("status=placed&items_per_page=2", [5, 4]),
        ("status=cancelled", []),
    ],
)
def test_filters(as_alice, orders, query, expected):
    Order.objects.filter(pk=orders[2]).update(status="shipped")
    assert ids(as_alice.get(f"/api/orders/?{query}")) == [orders[n] for n in expected]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("status=lost", "status"),
        ("created_after=yesterday", "created_after"),
        ("created_before=2026-13-01", "created_before"),
        ("modified_after=2026-05-01T12:00:00+02:00", "modified_after"),
        ("created_after=0001-01-01T00:00:00%2B14:00", "created_after"),
        ("created_before=9999-12-31T23:59:59-14:00", "created_before"),
        ("status=", "status"),
        ("created_after=", "created_after"),
        ("created_before=", "created_before"),
        ("modified_after=", "modified_after"),
        ("customer=", "customer"),
        ("customer=%201", "customer"),
        ("customer=1%0A", "customer"),
        ("customer=alice", "customer"),
        ("customer=0", "customer"),
        ("customer=１", "customer"),
        ("customer=99999999999999999999", "customer"),
        ("items_per_page=0", "items_per_page"),
        ("cursor=rubbish", "cursor"),
        ("cursor=%00", "cursor"),
        ("cursor=" + base64.b64encode(b"p=abc").decode(), "cursor"),
        ("cursor=" + base64.b64encode(b"p=" + b"9" * 30).decode(), "cursor"),
        ("cursor=" + base64.b64encode(b"o=x").decode(), "cursor"),
    ],
)
def test_bad_parameter_is_named(as_alice, orders, query, parameter):
    response = as_alice.get(f"/api/orders/?{query}")
    assert response.status_code == 400
    assert [error["parameter"] for error in response.json()["errors"]] == [parameter]


def test_staff_get_their_own_orders_by_default_and_others_by_parameter(
    as_clerk, clerk, alice, bob, product, orders
):
    mine = factories.place(clerk, {product: 1}).pk
    bobs = factories.place(bob, {product: 1}).pk
    assert ids(as_clerk.get("/api/orders/")) == [mine]
    assert ids(as_clerk.get(f"/api/orders/?customer={bob.pk}")) == [bobs]
    assert ids(as_clerk.get("/api/orders/?customer=all")) == [bobs, mine, *orders[::-1]]
    assert ids(as_clerk.get(f"/api/orders/?customer={alice.pk}&status=shipped")) == []


def test_parameter_shows_a_customer_no_other_orders(as_bob, alice, bob, product, orders):
    bobs = factories.place(bob, {product: 1}).pk
    assert ids(as_bob.get("/api/orders/?customer=all")) == [bobs]
    assert ids(as_bob.get(f"/api/orders/?customer={alice.pk}")) == []


INSERT_ORDERS = """
INSERT INTO orders_order (customer_id, status, total_price, currency, shipping_address,
    idempotency_key, fingerprint, created, modified)
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < %s)
SELECT customers_customer.id, 'placed', 10, 'EUR', '{}', NULL, '', date_joined, date_joined
FROM numbers, customers_customer WHERE username LIKE %s
"""


def check_plan_of_history(cursor, customer, limit, boundary):
    """Assert that the query reads no more rows of the customer's history than the limit."""
    statements = []

    def capture(execute, sql, params, many, context):
        statements.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(capture):
        Order.objects.fetch_history(customer.pk, limit, **boundary)
    select, values = statements[0]
    if connection.vendor == "sqlite":
        cursor.execute(f"EXPLAIN QUERY PLAN {select}", values)
        assert "USING INDEX order_history (customer_id=?" in str(cursor.fetchall())
        return
    cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    prepared = select.replace("%s", "$1", 1).replace("%s", "$2")
    cursor.execute(f"PREPARE history AS {prepared}")
    arguments = ", ".join(map(str, values))
    cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE history ({arguments})")
    plans = [cursor.fetchone()[0][0]["Plan"]]
    cursor.execute("DEALLOCATE history")
    for plan in plans:
        plans += plan.get("Plans", ())
        assert plan["Actual Rows"] <= limit, plan


@pytest.mark.slow
def test_history_of_a_customer_with_most_of_all_orders_is_not_read_whole(alice, isolated_subtest):
    """PostgreSQL plans the statement once, for a customer with an average number of orders."""
    factories.customers.make(_quantity=400, _bulk_create=True)
    with connection.cursor() as cursor:
        cursor.execute(INSERT_ORDERS, [10, "customer%"])
        cursor.execute(INSERT_ORDERS, [20_000, "alice"])
        cursor.execute("ANALYZE")
        middle = Order.objects.for_customer(alice.pk).order_by("pk")[10_000].pk
        for boundary in ({}, {"before": middle}, {"after": middle}):
            for limit in (6, 26, 101):
                with isolated_subtest(boundary=boundary, limit=limit):
                    check_plan_of_history(cursor, alice, limit, boundary)


def test_rare_status_is_filtered_without_reading_all_orders(as_clerk, alice):
    with connection.cursor() as cursor:
        cursor.execute(INSERT_ORDERS, [20_000, "alice"])
        cursor.execute("ANALYZE")
    with CaptureQueriesContext(connection) as queries:
        assert ids(as_clerk.get("/api/orders/?customer=all&status=confirmed")) == []
    (sql,) = (query["sql"] for query in queries if "confirmed" in query["sql"].split("FROM")[-1])
    with connection.cursor() as cursor:
        is_sqlite = connection.vendor == "sqlite"
        cursor.execute(f"{'EXPLAIN QUERY PLAN' if is_sqlite else 'EXPLAIN'} {sql}")
        assert "order_by_status" in str(cursor.fetchall())
