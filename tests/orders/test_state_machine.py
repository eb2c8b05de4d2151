"""Random use of the whole API, with every response predicted by a model of the shop.

The model is plain Python and shares no code with the shop. LONG=1 makes twenty times as many runs.
"""

import os
import sys
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from io import StringIO

import hypothesis
from django.core.management import call_command
from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from orders import stock_ledger
from orders.models import Order
from products.models import Product
from tests import factories
from tests.contract import ContractClient

LONG = bool(os.environ.get("LONG"))
MAX_STOCK = 1_000_000_000
MAX_TOTAL = Decimal("9999999999999.99")
TRANSITIONS = {
    "confirm": (["placed"], "confirmed"),
    "ship": (["confirmed"], "shipped"),
    "deliver": (["shipped"], "delivered"),
    "cancel": (["placed", "confirmed"], "cancelled"),
}


@dataclass(eq=False)
class ExpectedProduct:
    """A product. `movements` is its expected stock history: (reason, delta, order's id)."""

    id: int
    fields: dict  # of responses, except those of the stock
    movements: list
    is_deleted: bool = False

    @property
    def stock(self):
        return sum(delta for _, delta, _ in self.movements)

    @property
    def is_for_sale(self):
        return self.fields["is_active"] and not self.is_deleted

    @property
    def available(self):
        return self.stock if self.is_for_sale else 0

    @property
    def price(self):
        return Decimal(self.fields["price"])

    def expected_data(self):
        return self.fields | {"quantity_in_stock": self.stock, "in_stock": self.stock > 0}

    def expected_item(self, quantity):
        data = {"product": self.id, "name": self.fields["name"], "sku": self.fields["sku"]}
        prices = {"unit_price": self.fields["price"], "line_total": str(self.price * quantity)}
        return data | prices | {"quantity": quantity, "returned": 0}

    def expected_shortage(self, quantity):
        data = {"product": self.id, "requested": quantity, "available": self.available}
        return data | {"code": "out_of_stock", "unit_price": self.fields["price"]}


@dataclass(eq=False)
class ExpectedOrder:
    """An order. Nothing but `changes` may ever differ from its first `response_data`."""

    owner: str
    key: str | None
    body: dict
    quantities: dict
    response_data: dict
    events: list
    returned: Counter  # by product
    changes: dict

    def add_event(self, action, status, data, by, note="", shipping_address=None):
        """Add what the response `data` should end with."""
        event = {"action": action, "status": status, "at": data["modified"], "by": by, "note": note}
        self.events.append(event | {"shipping_address": shipping_address})

    @property
    def status(self):
        return self.events[-1]["status"]

    @property
    def path(self):
        return f"orders/{self.response_data['id']}/"

    def read_outcome(self, caller):
        if caller == "nobody":
            return "401 not_authenticated"
        return "200" if caller in (self.owner, "clerk") else "404 not_found"

    def expected_data(self, caller):
        possible = [name for name in TRANSITIONS if self.status in TRANSITIONS[name][0]]
        possible += [name for name in ("undo", "return", "correct_address") if self.can(name)]
        items = [
            item | {"returned": self.returned[product]}
            for product, item in zip(self.quantities, self.response_data["items"], strict=True)
        ]
        return self.response_data | {
            "status": self.status,
            "modified": self.events[-1]["at"],
            "items": items,
            "actions": [name for name in possible if caller == "clerk" or name == "cancel"],
            "events": self.events,
            **self.changes,
        }

    def can(self, action):
        match action:
            case "undo":
                is_back = any(self.returned.values())
                return self.status == "delivered" or (self.status == "shipped" and not is_back)
            case "return":
                is_left = any(self.returned[p] < n for p, n in self.quantities.items())
                return self.status in ("shipped", "delivered") and is_left
            case "correct_address":
                return self.status in ("placed", "confirmed")


def resolve_items(items):
    """Replace words that stand for quantities by numbers, which depend on the stock."""
    offsets = {"what is left": 0, "one too many": 1}
    return [
        (product, min(max(1, product.stock + offsets[n]), 10_000) if n in offsets else n)
        for product, n in items
    ]


def merge_items(items):
    """Return `{product: quantity}`."""
    quantities = Counter()
    for product, quantity in items:
        quantities[product] += quantity
    return quantities


def build_body(items, extras):
    return {"items": [{"product": product.id, "quantity": n} for product, n in items]} | extras


def validation_error(code, *pointers):
    return "400 validation_error", {pointer: {"code": code} for pointer in pointers}, {}


def predict_outcome(items, expected_total, address):
    """Predict the response to an order of `items`, [(product, quantity)], valid in all else.

    Return the error or None, its `errors` as `{pointer: members}` or None, and members of the body.
    """
    pointers, quantities = {}, merge_items(items)
    for index, (product, _) in enumerate(items):
        pointers.setdefault(product, f"/items/{index}")
        if merge_items(items[: index + 1])[product] > 10_000:
            return validation_error("max_value", f"/items/{index}/quantity")
    not_for_sale = {
        f"{pointers[product]}/product": {"code": "not_for_sale", "product": product.id}
        for product in quantities
        if not product.is_for_sale
    }
    shortages = {
        f"{pointers[product]}/quantity": product.expected_shortage(n)
        for product, n in quantities.items()
        if product.is_for_sale and n > product.stock
    }
    if errors := not_for_sale | shortages:
        available = {
            product.id: min(n, product.available)
            for product, n in quantities.items()
            if product.available
        }
        suggested_items = [{"product": pk, "quantity": n} for pk, n in available.items()]
        error = "400 validation_error" if not_for_sale else "409 out_of_stock"
        return error, errors, {"suggested_items": suggested_items}
    total = sum(product.price * n for product, n in quantities.items())
    if total > MAX_TOTAL:
        return validation_error("max_value", "/items")
    data = {
        "items": [product.expected_item(n) for product, n in quantities.items()],
        "total_price": str(total),
    }
    if expected_total and Decimal(expected_total) != total:
        return "409 price_changed", None, data
    return None, None, data | {"currency": "EUR", "shipping_address": address}


def bad_values(target, member, *values):
    return [(target, {member: value}) for value in values]


BAD_VALUES = [
    *bad_values("line", "quantity", 0, -1, 10_001, 10**30, 1.0, 1.9, True, None, "1", "５", [1]),
    *bad_values("line", "product", 0, -1, 2**63, 1.0, True, None, "1", {}),
    *bad_values("order", "items", None, [], {}, "1", [{"product": 1, "quantity": 1}] * 101),
    *bad_values("order", "expected_total", None, "", "NaN", "1e999", "0.001", []),
    *bad_values("order", "shipping_address", [], "at home"),
    *bad_values("key", "Idempotency-Key", "", '""', "two words", "k" * 256, "ключ", "a\n"),
    *bad_values("stock", "delta", 0, MAX_STOCK + 1, 10**30, 1.0, True, None, "1"),
    *bad_values("stock", "reason", "sale", "", None),
    *bad_values("patch", "price", "-0.01", "0.001", "10000000000.00", "NaN", None),
    *bad_values("patch", "quantity_in_stock", -1, 1.0, "1", None),
    *bad_values("patch", "is_active", None, "perhaps"),
    *bad_values("put", "quantity_in_stock", 7_777_777),
]
sampled_from = st.sampled_from
PRICES = sampled_from(["0.00", "0.01", "9999999999.99"]) | st.decimals(1, 99, places=2).map(str)
CHANGES = st.fixed_dictionaries({"is_active": st.booleans()}) | st.fixed_dictionaries(
    {}, optional={"price": PRICES, "name": sampled_from(["Old name", "New name"])}
)
DELIVERY = {"delta": 1, "reason": "delivery"}
BUYERS = sampled_from(["alice", "bob", "clerk"])
ANYONE = sampled_from(["alice", "bob", "clerk", "nobody"])


class Shop(RuleBasedStateMachine):
    products = Bundle("products")
    orders = Bundle("orders")
    items = st.tuples(
        products, sampled_from([*(1, 2, 3) * 3, "what is left", "one too many", 10_000])
    )

    def __init__(self):
        super().__init__()
        self.all_products, self.all_orders, self.turn = [], [], 0
        self.transaction = transaction.atomic()
        self.transaction.__enter__()

    def teardown(self):
        try:
            if sys.exception() is None:  # no step failed
                self.audit()
        finally:
            transaction.set_rollback(True)
            self.transaction.__exit__(None, None, None)

    @initialize(target=products)
    def open_the_shop(self):
        customers = {
            name: factories.customers.make(username=name, is_staff=name == "clerk")
            for name in ("alice", "bob", "clerk")
        }
        anonymous = ContractClient()
        self.clients = {"nobody": anonymous} | {
            name: anonymous.as_user(customer) for name, customer in customers.items()
        }
        self.ids = {name: customer.pk for name, customer in customers.items()}
        self.addresses = {name: customer.postal_address() for name, customer in customers.items()}
        return multiple(*(self.create_product(price, 20) for price in ("12.50", "0.99", "100.00")))

    def request(self, caller, method, path, body=None, expected="200", errors=None, **options):
        """Send a request, check status, code and errors of the response, and return it."""
        response = getattr(self.clients[caller], method)(f"/api/{path}", body, **options)
        data = response.json() if response.content else {}
        assert f"{response.status_code} {data.get('code', '')}".strip() == expected, data
        if errors is not None:
            actual_errors = {error.get("pointer"): error for error in data["errors"]}
            assert actual_errors == {
                pointer: actual_errors.get(pointer, {}) | members
                for pointer, members in errors.items()
            }
        return response

    # --- Products -------------------------------------------------------------------------------

    def create_product(self, price, stock):
        name = f"Ware {len(self.all_products)}"
        body = {"name": name, "sku": name, "price": price, "description": "", "is_active": True}
        payload = body | {"quantity_in_stock": stock}
        data = self.request("clerk", "post", "products/", payload, "201").json()
        product = ExpectedProduct(data["id"], body, [("opening", stock, None)] if stock else [])
        assert data == data | product.expected_data() | {"currency": "EUR"}
        self.all_products.append(product)
        return product

    @precondition(lambda self: len(self.all_products) < 6)
    @rule(target=products, price=PRICES, stock=st.integers(0, 20) | sampled_from([MAX_STOCK]))
    def add_a_product(self, price, stock):
        return self.create_product(price, stock)

    @rule(product=products, changes=CHANGES)
    def update_a_product(self, product, changes):
        data = self.request("clerk", "patch", f"products/{product.id}/", changes).json()
        product.fields |= changes
        assert data == data | product.expected_data()

    @rule(product=products, caller=ANYONE)
    def read_a_product(self, product, caller):
        path = f"products/{product.id}/"
        if not product.fields["is_active"] and caller != "clerk":
            self.request(caller, "get", path, expected="404 not_found")
            return
        data = self.request(caller, "get", path).json()
        assert data == data | product.expected_data()
        if caller == "clerk":  # staff may send back what they read
            self.request(caller, "put", path, data)

    @rule(product=products, delta=st.integers(-30, 30) | sampled_from(["empty", "fill"]))
    def adjust_stock(self, product, delta):
        extremes = {"empty": max(-product.stock, -MAX_STOCK), "fill": MAX_STOCK - product.stock}
        delta = extremes.get(delta, delta) or 1
        is_possible = 0 <= product.stock + delta <= max(product.stock, MAX_STOCK)
        expected = "201" if is_possible else "409 stock_out_of_bounds"
        body = {"delta": delta, "reason": "stocktake", "note": "Counted."}
        data = self.request(
            "clerk", "post", f"products/{product.id}/adjust-stock/", body, expected
        ).json()
        if is_possible:
            product.movements.append(("stocktake", delta, None))
            expected_fields = {"quantity_in_stock": product.stock, "actor": self.ids["clerk"]}
            assert data == data | body | expected_fields

    @rule(product=products, count=st.integers(0, 30) | sampled_from(["what there is"]))
    def count_the_stock(self, product, count):
        count = product.stock if count == "what there is" else count
        body = {"quantity_in_stock": count}
        data = self.request("clerk", "patch", f"products/{product.id}/", body).json()
        if count != product.stock:
            product.movements.append(("stocktake", count - product.stock, None))
        assert data == data | product.expected_data() | body

    @precondition(lambda self: sum(not product.is_deleted for product in self.all_products) > 2)
    @rule(target=products, product=consumes(products))
    def delete_a_product(self, product):
        has_orders = any(order_id for _, _, order_id in product.movements)
        expected = "409 product_in_use" if has_orders else "204"
        self.request("clerk", "delete", f"products/{product.id}/", expected=expected)
        product.is_deleted = not has_orders
        return multiple(*[product] * has_orders)

    # --- Orders ---------------------------------------------------------------------------------

    @rule(target=orders, buyer=BUYERS, item=items)
    def buy(self, buyer, item):
        return self.place(buyer, resolve_items([item]), {}, None)

    @rule(target=orders, buyer=BUYERS, item=items, key=sampled_from("abc"))
    def buy_with_a_key(self, buyer, item, key):
        return self.place(buyer, resolve_items([item]), {}, key)

    @rule(
        target=orders,
        caller=ANYONE,
        buyer=BUYERS,
        items=st.lists(items, min_size=1, max_size=5),
        strays=sampled_from([0, 0, 0, 1, 2]),
        cents_off=sampled_from([None, 0, -1]),
        street=sampled_from([None, "Rua das Flores 21"]),
        key=st.none() | sampled_from("abc"),
    )
    def quote_and_place(self, caller, buyer, items, strays, cents_off, street, key):
        items = [(p, 1) for p in self.all_products if p.is_deleted][:strays] + resolve_items(items)
        extras = {}
        if cents_off is not None:
            total = min(sum(p.price * n for p, n in items), MAX_TOTAL)
            extras["expected_total"] = str(max(Decimal(0), total + Decimal(cents_off) / 100))
        if street:
            extras["shipping_address"] = self.addresses["bob"] | {"street_1": street}
        self.submit(caller, "orders/quote/", items, extras, "200")
        return self.place(buyer, items, extras, key)

    def submit(self, caller, path, items, extras, expected, **options):
        """Order or quote; check the response, and return it, or None for an error."""
        body = build_body(items, extras)
        address = body.get("shipping_address", self.addresses.get(caller))
        error, errors, members = predict_outcome(items, body.get("expected_total"), address)
        response = self.request(caller, "post", path, body, error or expected, errors, **options)
        assert response.json() == response.json() | members
        return None if error else response

    def place(self, buyer, items, extras, key):
        """Return the ExpectedOrder, or no value for the bundle."""
        body = build_body(items, extras)
        orders_by_key = {(order.owner, order.key): order for order in self.all_orders if order.key}
        # An invalid body is rejected before the key is looked up.
        if (buyer, key) in orders_by_key and max(merge_items(items).values()) <= 10_000:
            self.replay_request(orders_by_key[buyer, key], key, body)
            return multiple()
        headers = {"Idempotency-Key": key} if key else {}
        response = self.submit(buyer, "orders/", items, extras, "201", headers=headers)
        if not response:
            return multiple()
        assert "Idempotent-Replayed" not in response.headers
        data = response.json()
        order = ExpectedOrder(buyer, key, body, merge_items(items), data, [], Counter(), {})
        order.add_event("place", "placed", data, self.ids[buyer])
        assert data == order.expected_data(buyer) | {"customer": self.ids[buyer]}
        for product, n in order.quantities.items():
            product.movements.append(("sale", -n, data["id"]))
        self.all_orders.append(order)
        return order

    def replay_request(self, order, key, body):
        """Send a body with the key of an existing order."""
        is_replay = body == order.body
        expected = "201" if is_replay else "422 idempotency_key_reused"
        headers = {"Idempotency-Key": key}
        response = self.request(order.owner, "post", "orders/", body, expected, headers=headers)
        if is_replay:
            assert response.json() == order.response_data
            assert response.headers["Idempotent-Replayed"] == "true"

    @rule(order=orders, template=sampled_from(["{}", '"{}"']))
    def replay(self, order, template):
        if order.key:
            self.replay_request(order, template.format(order.key), order.body)

    @rule(
        order=orders,
        caller=ANYONE,
        transition=sampled_from([*TRANSITIONS]),
        note=sampled_from(["", "By van."]),
    )
    def make_transition(self, order, caller, transition, note):
        sources, target = TRANSITIONS[transition]
        is_repeated = transition == "cancel" and order.status == "cancelled"
        expected = order.read_outcome(caller)
        if expected == "200" and caller != "clerk" and transition != "cancel":
            expected = "403 permission_denied"
        elif expected == "200" and order.status not in sources and not is_repeated:
            expected = "409 illegal_transition"
        data = self.request(
            caller, "post", f"{order.path}{transition}/", {"note": note}, expected
        ).json()
        if expected != "200":
            return
        if not is_repeated:
            order.add_event(transition, target, data, self.ids[caller], note)
            for product, n in order.quantities.items() if transition == "cancel" else ():
                product.movements.append(("cancelled", n, order.response_data["id"]))
        assert data == order.expected_data(caller)

    def use_verb(self, order, caller, verb, body, expected, errors=None):
        """Send the request of a verb of staff; return the data of a success, or None."""
        if order.read_outcome(caller) != "200":
            expected, errors = order.read_outcome(caller), None
        elif caller != "clerk":
            expected, errors = "403 permission_denied", None
        response = self.request(caller, "post", f"{order.path}{verb}/", body, expected, errors)
        return response.json() if expected == "200" else None

    @rule(order=orders, caller=ANYONE, action=sampled_from([None, "ship", "deliver"]))
    def undo(self, order, caller, action):
        earlier = {"shipped": ("ship", "confirmed"), "delivered": ("deliver", "shipped")}
        last, status = earlier.get(order.status, (None, None))
        is_possible = order.can("undo") and action in (None, last)
        expected = "200" if is_possible else "409 illegal_transition"
        data = self.use_verb(order, caller, "undo", {"action": action} if action else {}, expected)
        if data:
            if last == "ship":
                order.changes |= {"carrier": "", "tracking_number": "", "tracking_url": ""}
            order.add_event("undo", status, data, self.ids[caller])
            assert data == order.expected_data(caller)

    @rule(order=orders)
    def ship_a_parcel(self, order):
        parcel = {"carrier": "By bicycle", "tracking_number": "7"}
        is_possible = order.status == "confirmed"
        expected = "200" if is_possible else "409 illegal_transition"
        data = self.use_verb(order, "clerk", "ship", parcel, expected)
        if data:
            order.changes |= parcel
            order.add_event("ship", "shipped", data, self.ids["clerk"])
            assert data == order.expected_data("clerk")

    @rule(
        order=orders,
        caller=sampled_from(["clerk", "clerk", "alice", "nobody"]),
        index=st.integers(0, 4),
        count=sampled_from([1, 2, "all that is left", "one too many"]),
        damaged=st.booleans(),
    )
    def send_back(self, order, caller, index, count, damaged):
        product = [*order.quantities][index % len(order.quantities)]
        left = order.quantities[product] - order.returned[product]
        count = {"all that is left": left or 1, "one too many": left + 1}.get(count, count)
        if count > 10_000:
            return
        expected, errors = "200", None
        if order.status not in ("shipped", "delivered"):
            expected = "409 illegal_transition"
        elif count > left:
            expected = "409 too_many_returned"
            errors = {"/items/0/quantity": {"code": "too_many_returned"}}
        body = {"items": [{"product": product.id, "quantity": count}], "damaged": damaged}
        data = self.use_verb(order, caller, "return", body, expected, errors)
        if data:
            order.returned[product] += count
            order.add_event("return", order.status, data, self.ids[caller])
            order_id = order.response_data["id"]
            product.movements.append(("returned", count, order_id))
            if damaged:
                product.movements.append(("damaged", -count, order_id))
            assert data == order.expected_data(caller)

    @rule(order=orders, caller=ANYONE, street=sampled_from(["Kattesundet 4", "Vestergade 11"]))
    def correct_the_address(self, order, caller, street):
        old = order.expected_data(caller)["shipping_address"]
        new = old | {"street_1": street}
        expected = "200" if order.can("correct_address") else "409 illegal_transition"
        body = {"shipping_address": new}
        data = self.use_verb(order, caller, "correct-address", body, expected)
        if data:
            if new != old:
                order.changes["shipping_address"] = new
                order.add_event(
                    "correct_address", order.status, data, self.ids[caller], shipping_address=old
                )
            assert data == order.expected_data(caller)

    @rule(
        order=orders,
        count=st.integers(0, 3),
        verbs=st.lists(sampled_from([*TRANSITIONS, "undo", "return", "correct"]), max_size=6),
    )
    def fulfil(self, order, count, verbs):
        """Take an order on its way, and do some more with it: single rules seldom get there."""
        path = ["confirm", "ship", "deliver"][:count]
        for verb in [*verbs[:1], *path, *verbs[1:]]:
            match verb:
                case "undo":
                    self.undo(order, "clerk", None)
                case "return":
                    self.send_back(order, "clerk", 0, 1, False)
                case "correct":
                    self.correct_the_address(order, "clerk", "Vestergade 11")
                case _:
                    self.make_transition(order, "clerk", verb, "")

    @rule(order=orders)
    def cancel(self, order):
        self.make_transition(order, order.owner, "cancel", "Not any more.")

    @rule(order=orders, caller=ANYONE, method=sampled_from(["put", "patch", "delete"]))
    def read_an_order_and_try_to_change_it(self, order, caller, method):
        data = self.request(caller, "get", order.path, expected=order.read_outcome(caller)).json()
        if order.read_outcome(caller) == "200":
            assert data == order.expected_data(caller)
            self.request(caller, method, order.path, data, "405 method_not_allowed")

    @rule(order=orders, street=sampled_from(["Kattesundet 4", "Vestergade 11"]))
    def change_the_owners_address(self, order, street):
        self.request(order.owner, "patch", "customers/me/", {"street_1": street})
        self.addresses[order.owner] = self.addresses[order.owner] | {"street_1": street}

    @rule(
        product=products,
        buyer=BUYERS,
        path=sampled_from(["orders/", "orders/quote/"]),
        bad_value=sampled_from(BAD_VALUES),
    )
    def send_an_invalid_body(self, product, buyer, path, bad_value):
        target, member = bad_value[0], bad_value[1]
        item, product_path = {"product": product.id, "quantity": 1}, f"products/{product.id}/"
        caller, method, path, body = {
            "line": (buyer, "post", path, {"items": [item, item | member]}),
            "order": (buyer, "post", path, {"items": [item]} | member),
            "key": (buyer, "post", "orders/", {"items": [item]}),
            "stock": ("clerk", "post", f"{product_path}adjust-stock/", DELIVERY | member),
            "patch": ("clerk", "patch", product_path, member),
            "put": ("clerk", "put", product_path, product.fields | member),
        }[target]
        (name,) = member
        pointer = {"line": f"/items/1/{name}", "key": None}.get(target, f"/{name}")
        headers = member if target == "key" else {}
        expected = "400 validation_error"
        self.request(caller, method, path, body, expected, {pointer: {}}, headers=headers)

    # --- Invariants -----------------------------------------------------------------------------

    @invariant()
    def database_matches_the_model(self):
        stocks = dict(Product.objects.values_list("pk", "quantity_in_stock"))
        assert stocks == {
            product.id: product.stock for product in self.all_products if not product.is_deleted
        }
        assert all(stock >= 0 for stock in stocks.values())
        states = dict(Order.objects.values_list("pk", "status"))
        assert states == {order.response_data["id"]: order.status for order in self.all_orders}
        self.turn += 1  # alternates between slow checks; `audit` does all of them at the end
        if self.turn % 2 or not self.all_orders:
            assert not stock_ledger.find_discrepancies().exists()
        else:
            order = self.all_orders[self.turn // 2 % len(self.all_orders)]
            data = self.request(order.owner, "get", order.path).json()
            assert data == order.expected_data(order.owner)

    def audit(self):
        """Check everything at the end of the run."""
        call_command("verify_stock", stdout=StringIO())
        for caller in ("alice", "clerk"):
            path = f"orders/?items_per_page=100{'&customer=all' * (caller == 'clerk')}"
            visible_orders = [
                order for order in reversed(self.all_orders) if caller in (order.owner, "clerk")
            ]
            data = self.request(caller, "get", path).json()
            assert data["results"] == [order.expected_data(caller) for order in visible_orders]
        for product in self.all_products:
            path = f"products/{product.id}/stock-history/?items_per_page=100"
            if not product.is_deleted:
                rows = self.request("clerk", "get", path).json()["results"]
                movements = Counter((row["reason"], row["delta"], row["order"]) for row in rows)
                assert movements == Counter(product.movements)


def test_shop_matches_its_model_under_random_requests(transactional_db, caplog):
    """Each run has its own transaction, rolled back at its end.

    One for the whole test would hold up the feed, and all tests that wait for it, for a minute.
    """
    caplog.set_level("ERROR", logger="django.request")  # thousands of errors are expected
    run_state_machine_as_test(
        Shop,
        settings=hypothesis.settings(
            max_examples=500 if LONG else 25,
            stateful_step_count=50,
            deadline=None,
            # `make test` makes the same runs every time; LONG=1 makes new ones.
            derandomize=not LONG,
            database=None,
            print_blob=True,
        ),
    )
