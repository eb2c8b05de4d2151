"""Column types change while the shop runs, and PostgreSQL rejects its prepared statements."""

import psycopg
import pytest
from django.db import connection

from tests import factories
from tests.servers import database_url


@pytest.fixture
def change(transactional_db):
    """Alter a column, as a migration in another process does; it is undone after the test."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite looks at each statement anew")
    undo = []

    def change(column, old, new):
        undo.append((column, new, old))
        table, name = column.split(".")
        with psycopg.connect(database_url(), autocommit=True) as other_connection:
            other_connection.execute(f"ALTER TABLE {table} ALTER COLUMN {name} TYPE {new}")

    yield change
    change(*undo[0])
    connection.close()


@pytest.mark.parametrize(
    "column",
    [
        ("customers_customer.country", "varchar(100)", "varchar(101)"),
        ("products_product.modified", "timestamptz", "timestamptz(3)"),
        ("orders_order.total_price", "numeric(16,3)", "numeric(17,3)"),
        ("orders_orderevent.note", "varchar(500)", "varchar(501)"),
    ],
)
@pytest.mark.parametrize("first", ["read", "write"])
def test_column_of_another_type_costs_at_most_one_503(change, api, alice, clerk, first, column):
    order = {"items": [{"product": factories.products.make().pk, "quantity": 1}]}
    calls = [
        lambda: api.as_user(alice).get("/api/products/?in_stock=true"),
        lambda: api.as_user(alice).get("/api/orders/"),
        lambda: api.as_user(clerk).get("/api/customers/"),
        lambda: api.as_user(alice).post("/api/orders/", order),
    ]
    for _ in range(3):
        assert [call().status_code for call in calls] == [200, 200, 200, 201]
    change(*column)
    ordered_calls = calls if first == "read" else calls[::-1]
    responses = [call() for call in ordered_calls]
    failures = [response for response in responses if response.status_code not in (200, 201)]
    assert len(failures) <= 1
    assert [(response.status_code, response["Retry-After"]) for response in failures] in (
        [],
        [(503, "1")],
    )
    assert {call().status_code for call in ordered_calls} == {200, 201}
