"""Where an order goes: to its own address, to the customer's, or nowhere: it is collected."""

import pytest

ADDRESS = {"street_1": "Rua 1", "city": "Porto", "country": "Portugal"}


def order(client, product, path="", **body):
    items = [{"product": product.pk, "quantity": 1}]
    return client.post(f"/api/orders/{path}", {"items": items, **body})


def errors(response):
    assert response.status_code == 400
    return {error["pointer"]: error["code"] for error in response.json()["errors"]}


def clear(customer, *fields):
    for field in fields or customer.ADDRESS:
        setattr(customer, field, "")
    customer.save()


@pytest.mark.parametrize("path", ["", "quote/"])
@pytest.mark.parametrize("body", [{}, {"shipping_address": None}])
def test_order_without_any_address_is_collected(as_alice, alice, product, path, body):
    clear(alice)
    assert order(as_alice, product, path, **body).json()["shipping_address"] is None


def test_collected_order_reads_as_it_was_placed(as_alice, alice, product):
    clear(alice)
    placed = order(as_alice, product).json()
    assert as_alice.get(f"/api/orders/{placed['id']}/").json() == placed
    assert as_alice.get("/api/orders/").json()["results"] == [placed]


def test_null_is_the_address_of_the_profile(as_alice, product):
    address = order(as_alice, product, shipping_address=None).json()["shipping_address"]
    assert address["city"] == "Aarhus"


@pytest.mark.parametrize("path", ["", "quote/"])
def test_shop_that_only_ships_rejects_an_order_without_address(
    as_alice, alice, product, path, settings
):
    settings.SHIPPING_ADDRESS_REQUIRED = True
    clear(alice)
    response = order(as_alice, product, path)
    assert errors(response) == {"/shipping_address": "incomplete_address"}
    assert "street_1, city, country" in response.json()["detail"]
    assert order(as_alice, product, path, shipping_address=ADDRESS).status_code in (200, 201)


def test_half_an_address_in_the_profile_is_named(as_alice, alice, product):
    clear(alice, "street_1", "country")
    response = order(as_alice, product)
    assert errors(response) == {"/shipping_address": "incomplete_address"}
    assert "street_1, country" in response.json()["detail"]
    product.refresh_from_db()
    assert product.quantity_in_stock == 100


@pytest.mark.parametrize("missing", ["street_1", "city", "country"])
@pytest.mark.parametrize("blank", [True, False])
def test_half_an_address_in_the_body_is_named(as_alice, product, missing, blank):
    address = {part: value for part, value in ADDRESS.items() if part != missing}
    response = order(as_alice, product, shipping_address=address | ({missing: ""} if blank else {}))
    assert errors(response) == {f"/shipping_address/{missing}": "incomplete_address"}


def test_collected_order_survives_the_closing_of_the_account(as_alice, alice, as_clerk, product):
    clear(alice)
    placed = order(as_alice, product, note="By the door", reference="PO-1").json()
    alice.close()
    for move in ("confirm", "ship", "deliver"):
        assert as_clerk.post(f"/api/orders/{placed['id']}/{move}/").status_code == 200
    data = as_clerk.get(f"/api/orders/{placed['id']}/").json()
    assert (data["shipping_address"], data["note"], data["reference"]) == (None, "", "")


def test_admin_shows_that_an_order_is_collected(as_alice, alice, product, in_the_admin):
    clear(alice)
    pk = order(as_alice, product).json()["id"]
    assert "collected" in in_the_admin.get("/admin/orders/order/").content.decode()
    page = in_the_admin.get(f"/admin/orders/order/{pk}/change/").content.decode()
    assert "the customer collects the order" in page


def test_admin_shows_an_address_in_the_order_of_a_label(as_alice, product, in_the_admin):
    address = ADDRESS | {"name": "Rosa", "postal_code": "4050", "state": "Norte"}
    pk = order(as_alice, product, shipping_address=address).json()["id"]
    page = in_the_admin.get(f"/admin/orders/order/{pk}/change/").content.decode()
    assert "Rosa<br>Rua 1<br>Porto, Norte 4050<br>Portugal<br>" in page
