"""Staff order for a customer; a key belongs to the account that sends it. Notes and references."""

import pytest

from tests import factories


def order(client, product, key=None, path="", **body):
    headers = {"Idempotency-Key": key} if key else {}
    items = [{"product": product.pk, "quantity": 1}]
    return client.post(f"/api/orders/{path}", {"items": items, **body}, headers=headers)


def error(response):
    assert response.status_code == 400
    (entry,) = response.json()["errors"]
    return entry["pointer"], entry["code"]


def test_staff_order_for_a_customer(as_clerk, clerk, as_alice, alice, product):
    placed = order(as_clerk, product, customer=alice.pk).json()
    assert (placed["customer"], placed["placed_by"]) == (alice.pk, clerk.pk)
    assert placed["events"][0]["by"] == clerk.pk
    assert placed["shipping_address"]["name"] == alice.get_full_name()
    assert as_alice.get("/api/orders/").json()["results"][0]["id"] == placed["id"]
    assert as_clerk.get("/api/orders/").json()["results"] == []


def test_customer_may_send_the_own_id(as_alice, alice, product):
    placed = order(as_alice, product, customer=alice.pk).json()
    assert (placed["customer"], placed["placed_by"]) == (alice.pk, alice.pk)


@pytest.mark.parametrize("path", ["", "quote/"])
def test_customer_cannot_order_for_another(as_alice, bob, product, path):
    for pk in (bob.pk, 987654321):
        assert error(order(as_alice, product, path=path, customer=pk)) == (
            "/customer",
            "not_your_account",
        )
    assert not bob.orders.exists()


def test_anonymous_client_gets_no_quote_for_a_customer(api, bob, product):
    assert error(order(api, product, path="quote/", customer=bob.pk))[0] == "/customer"


@pytest.mark.parametrize("pk", [987654321, 0, -1, 2**63, "1", None, True])
def test_staff_cannot_order_for_nobody(as_clerk, product, pk):
    assert error(order(as_clerk, product, customer=pk))[0] == "/customer"


def test_staff_cannot_order_for_a_closed_account(as_clerk, bob, product):
    bob.close()
    assert error(order(as_clerk, product, customer=bob.pk)) == ("/customer", "does_not_exist")


def test_keys_of_staff_and_customer_do_not_meet(as_clerk, as_alice, alice, bob, product):
    by_staff = order(as_clerk, product, "1", customer=alice.pk)
    by_customer = order(as_alice, product, "1")
    assert (by_staff.status_code, by_customer.status_code) == (201, 201)
    assert by_staff.json()["id"] != by_customer.json()["id"]
    again = order(as_clerk, product, "1", customer=alice.pk)
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (by_staff.json(), "true")
    assert order(as_clerk, product, "1", customer=bob.pk).status_code == 422


def test_staff_find_their_orders_for_others_in_their_export(as_clerk, alice, product):
    pk = order(as_clerk, product, customer=alice.pk).json()["id"]
    (event,) = as_clerk.get("/api/customers/me/export/").json()["order_events"]
    assert (event["order"], event["status"]) == (pk, "placed")


def test_stock_history_names_who_ordered(as_clerk, clerk, alice, product):
    order(as_clerk, product, customer=alice.pk)
    (sale, *_) = as_clerk.get(f"/api/products/{product.pk}/stock-history/").json()["results"]
    assert (sale["reason"], sale["by"]) == ("sale", clerk.pk)


def test_note_and_reference_are_returned(as_alice, product):
    placed = order(as_alice, product, note="Ring twice.", reference="PO-4711").json()
    assert (placed["note"], placed["reference"]) == ("Ring twice.", "PO-4711")
    assert as_alice.get(f"/api/orders/{placed['id']}/").json() == placed


@pytest.mark.parametrize(("field", "length"), [("note", 500), ("reference", 64)])
def test_note_and_reference_have_a_maximum(as_alice, product, field, length):
    assert order(as_alice, product, **{field: "x" * length}).status_code == 201
    assert error(order(as_alice, product, **{field: "x" * (length + 1)})) == (
        f"/{field}",
        "max_length",
    )


def test_orders_are_found_by_reference(as_alice, as_bob, product):
    placed = order(as_alice, product, reference="PO-4711").json()
    order(as_alice, product, reference="PO-4712")
    assert as_alice.get("/api/orders/?reference=PO-4711").json()["results"] == [placed]
    assert as_bob.get("/api/orders/?reference=PO-4711").json()["results"] == []


def test_blank_reference_is_rejected(as_alice):
    response = as_alice.get("/api/orders/?reference=%20")
    assert response.status_code == 400
    assert response.json()["errors"][0]["parameter"] == "reference"


def test_admin_shows_and_finds_note_and_reference(as_alice, product, in_the_admin):
    pk = order(as_alice, product, note="Ring twice.", reference="PO-4711").json()["id"]
    page = in_the_admin.get(f"/admin/orders/order/{pk}/change/").content.decode()
    assert "Ring twice." in page
    assert "PO-4711" in page
    assert f"/order/{pk}/" in in_the_admin.get("/admin/orders/order/?q=PO-4711").content.decode()


def test_closing_an_account_erases_notes_and_references(as_alice, alice, as_clerk, product):
    pk = order(as_alice, product, note="I am ill", reference="mine").json()["id"]
    as_alice.post(f"/api/orders/{pk}/cancel/")
    alice.close()
    data = as_clerk.get(f"/api/orders/{pk}/").json()
    assert (data["note"], data["reference"]) == ("", "")


def test_order_of_an_earlier_release_was_placed_by_its_customer(as_alice, alice, product):
    placed = factories.place(alice, {product: 1})
    assert placed.placed_by is None
    assert as_alice.get(f"/api/orders/{placed.pk}/").json()["placed_by"] == alice.pk
