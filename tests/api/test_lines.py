"""Texts of one line reject control and format characters, in the API and in the admin."""

import re

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError

from customers.models import Customer
from orders.models import OrderEvent
from products.categories import Category
from products.models import Product, StockAdjustment
from shopply.api.fields import validate_line
from shopply.api.schema import LINE, LINE_NOT_BLANK
from tests import factories, pictures
from tests.api.test_strict_text import texts
from tests.contract import operations, takes_json
from tests.forms import submit
from tests.products.test_admin import FORM

# An override of the direction, a zero-width space, line breaks, a soft hyphen, a language tag.
HIDDEN = ["\u202e", "\u200b", "\n", "\r", "\t", "\x85", "\u2028", "\u2029", "\u00ad", "\U000e0041"]
VISIBLE = [
    "می\u200cخواهم",  # Persian, with a zero-width non-joiner
    "क्\u200dष",  # Devanagari, with a zero-width joiner
    "Mug 👩\u200d🚀 №\u00a01\u202f000\u3000™",
    "Ærø",
]


def is_line(text):
    try:
        validate_line(text)
    except ValidationError:
        return False
    return True


def test_patterns_agree_with_the_validator():
    for code in {*range(1, 0x10000)} - {*range(0xD800, 0xE000)}:
        character = chr(code)
        assert bool(re.search(LINE, f"a{character}b")) == is_line(character), hex(code)
        is_name = is_line(character) and bool(character.strip())
        assert bool(re.search(LINE_NOT_BLANK, f" {character} ")) == is_name, hex(code)
    assert not re.search(LINE, "a\0b")  # rejected by a validator of its own


LINES = [
    (method, path, pointer, body)
    for (method, path), operation in operations().items()
    if takes_json(operation)
    for pointer, body, schema in texts(
        operation["requestBody"]["content"]["application/json"]["schema"], "two\u200bwords"
    )
    if schema.get("pattern") in (LINE, LINE_NOT_BLANK)
]


def test_one_line_fields_are_covered():
    fields = {(path, pointer) for _, path, pointer, _ in LINES}
    assert {
        ("/api/products/", "/name"),
        ("/api/products/", "/sku"),
        ("/api/products/{id}/adjust-stock/", "/note"),
        ("/api/customers/me/", "/contact_number"),
        ("/api/orders/", "/shipping_address/city"),
        ("/api/orders/{id}/cancel/", "/note"),
    } <= fields
    assert ("/api/products/", "/description") not in fields
    assert not [pointer for _, pointer in fields if "password" in pointer]


def test_hidden_character_is_rejected_by_the_api(as_clerk, clerk, product, subtests):
    ids = {"products": product.pk, "orders": factories.place(clerk, {product: 1}).pk}
    Category.objects.create(name="Tea", slug="tea")
    for method, path, pointer, body in LINES:
        path = path.replace("{id}", str(ids.get(path.split("/")[2]))).replace("{slug}", "tea")
        path = pictures.fill_in(path, product, clerk)
        with subtests.test(method=method, path=path, pointer=pointer):
            response = getattr(as_clerk, method.lower())(path, body)
            assert response.status_code == 400
            errors = {error["pointer"]: error for error in response.json()["errors"]}
            assert errors[pointer]["code"] == "control_characters_not_allowed"
            assert "U+200B" in errors[pointer]["detail"]


@pytest.mark.parametrize("text", ["{}Ribe", "Ri{}be", "Ribe{}", "{}"])
def test_hidden_character_is_rejected_anywhere(as_alice, text, subtests):
    for character in HIDDEN:
        with subtests.test(character=character):
            response = as_alice.patch("/api/customers/me/", {"city": text.format(character)})
            codes = [error["code"] for error in response.json()["errors"]]
            assert codes == ["control_characters_not_allowed"]


@pytest.mark.parametrize("text", VISIBLE)
def test_text_of_any_script_is_accepted(as_alice, as_clerk, text):
    response = as_alice.patch("/api/customers/me/", {"city": text})
    assert response.json()["city"] == text
    product = {"name": text, "sku": text, "price": "9.00"}
    assert as_clerk.post("/api/products/", product).json()["name"] == text


def test_description_has_as_many_lines_as_it_likes(as_clerk):
    description = "Washed.\r\n\tJasmine,\u2028lemon\u00adpeel."
    product = {"name": "Mocha", "price": "9.00", "description": description}
    assert as_clerk.post("/api/products/", product).json()["description"] == description


def test_password_has_any_characters(api):
    account = {"username": "mira", "password": "nine\tbean\u200b rows\u202e"}
    new = account | {"email": "mira@example.com"}
    assert api.post("/api/customers/", new).status_code == 201
    assert api.post("/api/obtain-token/", account).status_code == 200


# --- Rows of earlier releases ---------------------------------------------------------------------


@pytest.fixture
def alice(alice):
    """A customer whose city was entered before such texts were rejected."""
    Customer.objects.filter(pk=alice.pk).update(city="Aar\u200bhus", last_name="Bra\u202endt")
    alice.refresh_from_db()
    return alice


def test_old_text_does_not_keep_a_profile_from_changing(as_alice, alice):
    profile = as_alice.get("/api/customers/me/").json()
    assert as_alice.patch("/api/customers/me/", {"state": "Jutland"}).status_code == 200
    profile |= {"contact_number": "+45 70 10 10 10"}  # sent back as a whole
    response = as_alice.patch("/api/customers/me/", profile)
    assert response.json()["contact_number"] == "+45 70 10 10 10"
    assert response.json()["city"] == alice.city


def test_old_text_is_replaced_by_a_line_only(as_alice):
    assert as_alice.patch("/api/customers/me/", {"city": "Aar\u200chus"}).status_code == 200
    assert as_alice.patch("/api/customers/me/", {"city": "Aar\u200bhus"}).status_code == 400


def test_old_text_does_not_keep_an_order_from_being_placed(as_alice, product):
    order = {"items": [{"product": product.pk, "quantity": 1}]}
    assert as_alice.post("/api/orders/", order).status_code == 201


def test_old_name_of_a_product_can_be_sent_back(as_clerk, product):
    Product.objects.filter(pk=product.pk).update(name="Two\nlines")
    path = f"/api/products/{product.pk}/"
    body = {"name": "Two\nlines", "sku": product.sku, "price": "9.00"}
    assert as_clerk.put(path, body).json()["price"] == "9.00"
    assert as_clerk.put(path, body | {"name": "Three\n\nlines"}).status_code == 400


# --- The admin ------------------------------------------------------------------------------------


def errors(response):
    return dict(response.context["adminform"].form.errors)


def test_hidden_character_is_rejected_by_a_form_of_the_admin(in_the_admin, bob):
    page = f"/admin/customers/customer/{bob.pk}/change/"
    response = submit(in_the_admin, page, city="Aar\u200bhus", first_name="A\u202eda")
    assert errors(response).keys() == {"city", "first_name"}
    bob.refresh_from_db()
    assert bob.city == "Aarhus"


@pytest.mark.parametrize("field", ["name", "sku"])
def test_hidden_character_is_rejected_in_a_new_product(in_the_admin, field):
    form = FORM | {"quantity_in_stock": 9, "description": "Two\nlines.", field: "two\u2028lines"}
    assert errors(in_the_admin.post("/admin/products/product/add/", form)).keys() == {field}


def test_hidden_character_is_rejected_in_the_name_of_a_group(in_the_admin):
    response = in_the_admin.post("/admin/auth/group/add/", {"name": "Pack\u200bers"})
    assert errors(response).keys() == {"name"}
    assert not Group.objects.filter(name__startswith="Pack").exists()


def test_hidden_character_is_rejected_in_the_note_of_an_adjustment(in_the_admin, product):
    row = {"delta": "-1", "reason": "damaged", "note": "Fell\u202e off."}
    row = {f"adjustments-0-{name}": value for name, value in row.items()}
    response = submit(in_the_admin, f"/admin/products/product/{product.pk}/change/", **row)
    _, formset = response.context["inline_admin_formsets"]
    assert formset.formset.errors[0].keys() == {"note"}
    assert not StockAdjustment.objects.filter(delta=-1).exists()


def test_hidden_character_is_rejected_in_the_note_of_a_transition(in_the_admin, bob, product):
    order = factories.place(bob, {product: 1})
    url = f"/admin/orders/order/{order.pk}/move/confirm/"
    page = in_the_admin.post(url, {"note": "Pa\u200bid"}, follow=True).content.decode()
    assert "Must be one line" in page
    assert not OrderEvent.objects.exists()


def test_old_text_does_not_keep_a_form_of_the_admin_from_being_saved(in_the_admin, alice):
    page = f"/admin/customers/customer/{alice.pk}/change/"
    assert submit(in_the_admin, page, postal_code="8200").status_code == 302
    alice.refresh_from_db()
    assert (alice.postal_code, alice.city) == ("8200", "Aar\u200bhus")
