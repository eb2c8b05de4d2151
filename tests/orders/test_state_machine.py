"""The whole API under random use, every answer predicted by a model of the shop.

The model is plain Python and shares no code with the shop. LONG=1 gives twenty times the runs.
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
class Ware:
    """A product. `movements` are what its stock history must tell: (reason, delta, order's id)."""

    id: int
    told: dict  # what answers tell of it, but for the stock
    movements: list
    gone: bool = False

    @property
    def stock(self):
        return sum(delta for _, delta, _ in self.movements)

    @property
    def available(self):
        return self.stock if self.told["is_active"] else 0

    @property
    def price(self):
        return Decimal(self.told["price"])

    def answer(self):
        return self.told | {"quantity_in_stock": self.stock, "in_stock": self.stock > 0}

    def line(self, quantity):
        told = {"product": self.id, "name": self.told["name"], "sku": self.told["sku"]}
        money = {"unit_price": self.told["price"], "line_total": str(self.price * quantity)}
        return told | money | {"quantity": quantity}

    def shortage(self, quantity):
        told = {"product": self.id, "requested": quantity, "available": self.available}
        return told | {"code": "out_of_stock", "unit_price": self.told["price"]}


@dataclass(eq=False)
class Sale:
    """An order. Of its `first` answer nothing may ever change but what `events` imply."""

    owner: str
    key: str | None
    body: dict
    quantities: dict
    first: dict
    events: list

    def happened(self, status, at, by, note=""):
        self.events.append({"status": status, "at": at, "by": by, "note": note})

    @property
    def status(self):
        return self.events[-1]["status"]

    @property
    def path(self):
        return f"orders/{self.first['id']}/"

    def seen_by(self, caller):
        if caller == "nobody":
            return "401 not_authenticated"
        return "200" if caller in (self.owner, "clerk") else "404 not_found"

    def answer(self, caller):
        allowed = TRANSITIONS if caller == "clerk" else ["cancel"]
        actions = [
            verb for verb in TRANSITIONS if verb in allowed and self.status in TRANSITIONS[verb][0]
        ]
        moved = {"status": self.status, "modified": self.events[-1]["at"], "actions": actions}
        return self.first | moved | {"events": self.events}


def counted(lines):
    """The lines with a number in place of words that depend on the stock."""
    bounds = {"what is left": 0, "one too many": 1}
    return [
        (ware, min(max(1, ware.stock + bounds[n]), 10_000) if n in bounds else n)
        for ware, n in lines
    ]


def merged(lines):
    """`{ware: quantity}`"""
    quantities = Counter()
    for ware, quantity in lines:
        quantities[ware] += quantity
    return quantities


def body_of(lines, extras):
    return {"items": [{"product": ware.id, "quantity": n} for ware, n in lines]} | extras


def invalid(code, *pointers):
    return "400 validation_error", {pointer: {"code": code} for pointer in pointers}, {}


def judge(lines, expected_total, address):
    """What must come of ordering the `lines`, [(ware, quantity)], if only they may stop it.

    The refusal or None, the errors `{pointer: members}` or None, and members of the answer.
    """
    first, wanted = {}, merged(lines)
    for index, (ware, _) in enumerate(lines):
        first.setdefault(ware, f"/items/{index}")
        if merged(lines[: index + 1])[ware] > 10_000:
            return invalid("max_value", f"/items/{index}/quantity")
    if unknown := [f"{first[ware]}/product" for ware in wanted if ware.gone]:
        return invalid("does_not_exist", *unknown)
    if short := [ware for ware, n in wanted.items() if n > ware.available]:
        errors = {f"{first[ware]}/quantity": ware.shortage(wanted[ware]) for ware in short}
        left = {ware.id: min(n, ware.available) for ware, n in wanted.items() if ware.available}
        suggested = [{"product": pk, "quantity": n} for pk, n in left.items()]
        return "409 out_of_stock", errors, {"suggested_items": suggested}
    total = sum(ware.price * n for ware, n in wanted.items())
    if total > MAX_TOTAL:
        return invalid("max_value", "/items")
    draft = {"items": [ware.line(n) for ware, n in wanted.items()], "total_price": str(total)}
    if expected_total and Decimal(expected_total) != total:
        return "409 price_changed", None, draft
    return None, None, draft | {"currency": "EUR", "shipping_address": address}


def each(of, member, *values):
    return [(of, {member: value}) for value in values]


BAD = [
    *each("line", "quantity", 0, -1, 10_001, 10**30, 1.0, 1.9, True, None, "1", "５", [1]),
    *each("line", "product", 0, -1, 2**63, 1.0, True, None, "1", {}),
    *each("order", "items", None, [], {}, "1", [{"product": 1, "quantity": 1}] * 101),
    *each("order", "expected_total", None, "", "NaN", "1e999", "0.001", []),
    *each("order", "shipping_address", [], "at home"),
    *each("key", "Idempotency-Key", "", '""', "two words", "k" * 256, "ключ", "a\n"),
    *each("stock", "delta", 0, MAX_STOCK + 1, 10**30, 1.0, True, None, "1"),
    *each("stock", "reason", "sale", "", None),
    *each("patch", "price", "-0.01", "0.001", "10000000000.00", "NaN", None),
    *each("patch", "quantity_in_stock", 7_777_777, -1, 1.0, "1", None),
    *each("patch", "is_active", None, "perhaps"),
    *each("put", "quantity_in_stock", 7_777_777),
]
some = st.sampled_from
PRICES = some(["0.00", "0.01", "9999999999.99"]) | st.decimals(1, 99, places=2).map(str)
CHANGES = st.fixed_dictionaries({"is_active": st.booleans()}) | st.fixed_dictionaries(
    {}, optional={"price": PRICES, "name": some(["Old name", "New name"])}
)
DELIVERY = {"delta": 1, "reason": "delivery"}
BUYERS = some(["alice", "bob", "clerk"])
ANYONE = some(["alice", "bob", "clerk", "nobody"])


class Shop(RuleBasedStateMachine):
    wares = Bundle("wares")
    sales = Bundle("sales")
    lines = st.tuples(wares, some([*(1, 2, 3) * 3, "what is left", "one too many", 10_000]))

    def __init__(self):
        super().__init__()
        self.stocked, self.sold, self.turn = [], [], 0
        self.transaction = transaction.atomic()
        self.transaction.__enter__()

    def teardown(self):
        try:
            if sys.exception() is None:  # every step went well
                self.audit()
        finally:
            transaction.set_rollback(True)
            self.transaction.__exit__(None, None, None)

    @initialize(target=wares)
    def open_the_shop(self):
        people = {
            name: factories.customers.make(username=name, is_staff=name == "clerk")
            for name in ("alice", "bob", "clerk")
        }
        nobody = ContractClient()
        self.clients = {"nobody": nobody} | {name: nobody.of(one) for name, one in people.items()}
        self.ids = {name: one.pk for name, one in people.items()}
        self.addresses = {name: one.postal_address() for name, one in people.items()}
        return multiple(*(self.introduce(price, 20) for price in ("12.50", "0.99", "100.00")))

    def ask(self, caller, method, path, body=None, expect="200", errors=None, **more):
        """The answer, found to be the one expected, and to point at what it should."""
        answer = getattr(self.clients[caller], method)(f"/api/{path}", body, **more)
        told = answer.json() if answer.content else {}
        assert f"{answer.status_code} {told.get('code', '')}".strip() == expect, told
        if errors is not None:
            found = {error.get("pointer"): error for error in told["errors"]}
            assert found == {at: found.get(at, {}) | members for at, members in errors.items()}
        return answer

    # --- Products -------------------------------------------------------------------------------

    def introduce(self, price, stock):
        name = f"Ware {len(self.stocked)}"
        body = {"name": name, "sku": name, "price": price, "description": "", "is_active": True}
        sent = body | {"quantity_in_stock": stock}
        told = self.ask("clerk", "post", "products/", sent, "201").json()
        ware = Ware(told["id"], body, [("opening", stock, None)] if stock else [])
        assert told == told | ware.answer() | {"currency": "EUR"}
        self.stocked.append(ware)
        return ware

    @precondition(lambda self: len(self.stocked) < 6)
    @rule(target=wares, price=PRICES, stock=st.integers(0, 20) | some([MAX_STOCK]))
    def introduce_a_product(self, price, stock):
        return self.introduce(price, stock)

    @rule(ware=wares, changes=CHANGES)
    def rename_reprice_retire_or_revive(self, ware, changes):
        told = self.ask("clerk", "patch", f"products/{ware.id}/", changes).json()
        ware.told |= changes
        assert told == told | ware.answer()

    @rule(ware=wares, caller=ANYONE)
    def look_at_a_product(self, ware, caller):
        path = f"products/{ware.id}/"
        if not ware.told["is_active"] and caller != "clerk":
            self.ask(caller, "get", path, expect="404 not_found")
            return
        told = self.ask(caller, "get", path).json()
        assert told == told | ware.answer()
        if caller == "clerk":  # who may send back what was read
            self.ask(caller, "put", path, told)

    @rule(ware=wares, delta=st.integers(-30, 30) | some(["empty", "fill"]))
    def adjust_the_stock(self, ware, delta):
        extremes = {"empty": max(-ware.stock, -MAX_STOCK), "fill": MAX_STOCK - ware.stock}
        delta = extremes.get(delta, delta) or 1
        possible = 0 <= ware.stock + delta <= max(ware.stock, MAX_STOCK)
        expect = "201" if possible else "409 stock_out_of_bounds"
        body = {"delta": delta, "reason": "stocktake", "note": "Counted."}
        told = self.ask("clerk", "post", f"products/{ware.id}/adjust-stock/", body, expect).json()
        if possible:
            ware.movements.append(("stocktake", delta, None))
            left = {"quantity_in_stock": ware.stock, "actor": self.ids["clerk"]}
            assert told == told | body | left

    @precondition(lambda self: sum(not ware.gone for ware in self.stocked) > 2)
    @rule(target=wares, ware=consumes(wares))
    def delete_a_product(self, ware):
        ordered = any(order for _, _, order in ware.movements)
        expect = "409 product_in_use" if ordered else "204"
        self.ask("clerk", "delete", f"products/{ware.id}/", expect=expect)
        ware.gone = not ordered
        return multiple(*[ware] * ordered)

    # --- Orders ---------------------------------------------------------------------------------

    @rule(target=sales, buyer=BUYERS, line=lines)
    def buy(self, buyer, line):
        return self.place(buyer, counted([line]), {}, None)

    @rule(target=sales, buyer=BUYERS, line=lines, key=some("abc"))
    def buy_with_a_key(self, buyer, line, key):
        return self.place(buyer, counted([line]), {}, key)

    @rule(
        target=sales,
        asker=ANYONE,
        buyer=BUYERS,
        lines=st.lists(lines, min_size=1, max_size=5),
        strays=some([0, 0, 0, 1, 2]),
        cents_off=some([None, 0, -1]),
        street=some([None, "Rua das Flores 21"]),
        key=st.none() | some("abc"),
    )
    def quote_and_place(self, asker, buyer, lines, strays, cents_off, street, key):
        lines = [(ware, 1) for ware in self.stocked if ware.gone][:strays] + counted(lines)
        extras = {}
        if cents_off is not None:
            total = min(sum(ware.price * n for ware, n in lines), MAX_TOTAL)
            extras["expected_total"] = str(max(Decimal(0), total + Decimal(cents_off) / 100))
        if street:
            extras["shipping_address"] = self.addresses["bob"] | {"street_1": street}
        self.submit(asker, "orders/quote/", lines, extras, "200")
        return self.place(buyer, lines, extras, key)

    def submit(self, caller, path, lines, extras, expect, **more):
        """The answer to lines, found to be the one judged right; None where that is a refusal."""
        body = body_of(lines, extras)
        address = body.get("shipping_address", self.addresses.get(caller))
        refusal, errors, told = judge(lines, body.get("expected_total"), address)
        answer = self.ask(caller, "post", path, body, refusal or expect, errors, **more)
        assert answer.json() == answer.json() | told
        return None if refusal else answer

    def place(self, buyer, lines, extras, key):
        """The Sale, or none of them."""
        body = body_of(lines, extras)
        sold = {(sale.owner, sale.key): sale for sale in self.sold if sale.key}
        if (buyer, key) in sold and max(merged(lines).values()) <= 10_000:  # shape comes first
            self.send_again(sold[buyer, key], key, body)
            return multiple()
        headers = {"Idempotency-Key": key} if key else {}
        answer = self.submit(buyer, "orders/", lines, extras, "201", headers=headers)
        if not answer:
            return multiple()
        assert "Idempotent-Replayed" not in answer.headers
        told = answer.json()
        sale = Sale(buyer, key, body, merged(lines), told, [])
        sale.happened("placed", told["created"], self.ids[buyer])
        assert told == sale.answer(buyer) | {"customer": self.ids[buyer]}
        for ware, n in sale.quantities.items():
            ware.movements.append(("sale", -n, told["id"]))
        self.sold.append(sale)
        return sale

    def send_again(self, sale, key, body):
        """Send a body with the key of an order that was placed."""
        same = body == sale.body
        expect = "201" if same else "422 idempotency_key_reused"
        headers = {"Idempotency-Key": key}
        answer = self.ask(sale.owner, "post", "orders/", body, expect, headers=headers)
        if same:
            assert answer.json() == sale.first
            assert answer.headers["Idempotent-Replayed"] == "true"

    @rule(sale=sales, form=some(["{}", '"{}"']))
    def replay(self, sale, form):
        if sale.key:
            self.send_again(sale, form.format(sale.key), sale.body)

    @rule(sale=sales, caller=ANYONE, verb=some([*TRANSITIONS]), note=some(["", "By van."]))
    def move(self, sale, caller, verb, note):
        sources, target = TRANSITIONS[verb]
        repeated = verb == "cancel" and sale.status == "cancelled"
        expect = sale.seen_by(caller)
        if expect == "200" and caller != "clerk" and verb != "cancel":
            expect = "403 permission_denied"
        elif expect == "200" and sale.status not in sources and not repeated:
            expect = "409 illegal_transition"
        told = self.ask(caller, "post", f"{sale.path}{verb}/", {"note": note}, expect).json()
        if expect != "200":
            return
        if not repeated:
            sale.happened(target, told["modified"], self.ids[caller], note)
            for ware, n in sale.quantities.items() if verb == "cancel" else ():
                ware.movements.append(("cancelled", n, sale.first["id"]))
        assert told == sale.answer(caller)

    @rule(sale=sales, moves=st.integers(1, 3))
    def fulfil(self, sale, moves):
        for verb in ["confirm", "ship", "deliver"][:moves]:
            self.move(sale, "clerk", verb, "")

    @rule(sale=sales)
    def cancel(self, sale):
        self.move(sale, sale.owner, "cancel", "Not any more.")

    @rule(sale=sales, caller=ANYONE, method=some(["put", "patch", "delete"]))
    def look_at_an_order_and_rewrite_it(self, sale, caller, method):
        told = self.ask(caller, "get", sale.path, expect=sale.seen_by(caller)).json()
        if sale.seen_by(caller) == "200":
            assert told == sale.answer(caller)
            self.ask(caller, method, sale.path, told, "405 method_not_allowed")

    @rule(sale=sales, street=some(["Kattesundet 4", "Vestergade 11"]))
    def owner_moves_house(self, sale, street):
        self.ask(sale.owner, "patch", "customers/me/", {"street_1": street})
        self.addresses[sale.owner] = self.addresses[sale.owner] | {"street_1": street}

    @rule(ware=wares, buyer=BUYERS, path=some(["orders/", "orders/quote/"]), bad=some(BAD))
    def send_a_bad_body(self, ware, buyer, path, bad):
        of, member = bad[0], bad[1]
        line, product = {"product": ware.id, "quantity": 1}, f"products/{ware.id}/"
        caller, method, path, body = {
            "line": (buyer, "post", path, {"items": [line, line | member]}),
            "order": (buyer, "post", path, {"items": [line]} | member),
            "key": (buyer, "post", "orders/", {"items": [line]}),
            "stock": ("clerk", "post", f"{product}adjust-stock/", DELIVERY | member),
            "patch": ("clerk", "patch", product, member),
            "put": ("clerk", "put", product, ware.told | member),
        }[of]
        (name,) = member
        pointer = {"line": f"/items/1/{name}", "key": None}.get(of, f"/{name}")
        headers = member if of == "key" else {}
        refusal = "400 validation_error"
        self.ask(caller, method, path, body, refusal, {pointer: {}}, headers=headers)

    # --- What must always be so -----------------------------------------------------------------

    @invariant()
    def shop_is_as_the_model_has_it(self):
        stocks = dict(Product.objects.values_list("pk", "quantity_in_stock"))
        assert stocks == {ware.id: ware.stock for ware in self.stocked if not ware.gone}
        assert all(stock >= 0 for stock in stocks.values())
        states = dict(Order.objects.values_list("pk", "status"))
        assert states == {sale.first["id"]: sale.status for sale in self.sold}
        self.turn += 1  # what takes longer by turns; `audit` does all of it in the end
        if self.turn % 2 or not self.sold:
            assert not stock_ledger.find_discrepancies().exists()
        else:
            sale = self.sold[self.turn // 2 % len(self.sold)]
            told = self.ask(sale.owner, "get", sale.path).json()
            assert told == sale.answer(sale.owner)

    def audit(self):
        """All there is, at the end of the run."""
        call_command("verify_stock", stdout=StringIO())
        for caller in ("alice", "clerk"):
            path = f"orders/?items_per_page=100{'&customer=all' * (caller == 'clerk')}"
            seen = [sale for sale in reversed(self.sold) if caller in (sale.owner, "clerk")]
            told = self.ask(caller, "get", path).json()
            assert told["results"] == [sale.answer(caller) for sale in seen]
        for ware in self.stocked:
            path = f"products/{ware.id}/stock-history/?items_per_page=100"
            if not ware.gone:
                rows = self.ask("clerk", "get", path).json()["results"]
                moved = Counter((row["reason"], row["delta"], row["order"]) for row in rows)
                assert moved == Counter(ware.movements)


def test_shop_is_what_its_model_says_whatever_is_asked_of_it(db, caplog):
    """Within the test's transaction each run is one of its own, rolled back at its end."""
    caplog.set_level("ERROR", logger="django.request")  # thousands of refusals are no news
    run_state_machine_as_test(
        Shop,
        settings=hypothesis.settings(
            max_examples=500 if LONG else 25,
            stateful_step_count=50,
            deadline=None,
            # `make test` makes the same runs every time; a long one looks for new ones.
            derandomize=not LONG,
            database=None,
            print_blob=True,
        ),
    )
