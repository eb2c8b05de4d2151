"""The whole money path in Python: openapi-python-client made `shopply_client` of the document."""

import sys
from uuid import uuid4

from shopply_client import AuthenticatedClient, Client
from shopply_client.api.customers import customers_create
from shopply_client.api.orders import (
    orders_cancel_create,
    orders_create,
    orders_list,
    orders_quote_create,
)
from shopply_client.api.products import products_list
from shopply_client.api.tokens import obtain_token_create
from shopply_client.models import (
    CustomerCreateRequest,
    PlaceOrderItemRequest,
    PlaceOrderRequest,
    Problem,
    TokenRequest,
    TransitionRequest,
)

base_url = sys.argv[1]
username, password = "python", "a-till-in-a-harbour"
anyone = Client(base_url)

customer = customers_create.sync(
    client=anyone,
    body=CustomerCreateRequest(
        username=username,
        password=password,
        email="python@example.com",
        street_1="Elbchaussee 112",
        city="Hamburg",
        country="Germany",
    ),
)
assert customer.username == username

log_in = TokenRequest(username=username, password=password)
token = obtain_token_create.sync(client=anyone, body=log_in).token
shop = AuthenticatedClient(base_url, token=token, prefix="Token")

page = products_list.sync(client=shop, in_stock=True, items_per_page=100)
product = page.results[0]
items = [PlaceOrderItemRequest(product=product.id, quantity=2)]
quote = orders_quote_create.sync(client=shop, body=PlaceOrderRequest(items=items))
assert quote.items[0].unit_price == product.price

body = PlaceOrderRequest(items=items, expected_total=quote.total_price)
key = str(uuid4())
order = orders_create.sync(client=shop, body=body, idempotency_key=key)
assert order.status == "placed"
replay = orders_create.sync_detailed(client=shop, body=body, idempotency_key=key)
assert replay.parsed == order
assert replay.headers["Idempotent-Replayed"] == "true"

scarce = next(other for other in page.results if other.quantity_in_stock < 10_000)
body = PlaceOrderRequest(items=[PlaceOrderItemRequest(product=scarce.id, quantity=10_000)])
problem = orders_create.sync(client=shop, body=body, idempotency_key=str(uuid4()))
assert isinstance(problem, Problem)
assert (problem.status, problem.code) == (409, "out_of_stock")
(error,) = problem.errors
assert error.pointer == "/items/0/quantity"
assert error.available < error.requested
(suggestion,) = problem.suggested_items
assert (suggestion.product, suggestion.quantity) == (scarce.id, error.available)

assert orders_list.sync(client=shop).results == [order]

cancelled = orders_cancel_create.sync(
    order.id, client=shop, body=TransitionRequest(note="Ordered twice.")
)
assert cancelled.status == "cancelled"
