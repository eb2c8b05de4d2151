"""Forms of the admin undo nothing that somebody else changed since they were opened."""

import re

import pytest
from django import forms
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.core import signing
from model_bakery import baker

from customers.models import Customer, Staff
from customers.tokens import AccessToken
from mail.models import OrderMail
from orders.models import Order
from products.categories import Category
from products.models import Product, StockAdjustment
from tests import factories
from tests.forms import form_data, submit
from webhooks.models import Endpoint


def page_of(instance, name="change"):
    opts = instance._meta
    return f"/admin/{opts.app_label}/{opts.model_name}/{instance.pk}/{name}/"


def open_form(browser, instance):
    return form_data(browser.get(page_of(instance)))


def history_of(browser, instance):
    """Return the texts of the history."""
    entries = browser.get(page_of(instance, "history")).context["action_list"]
    return [entry.get_change_message() for entry in entries]


def values_of(instance):
    instance.refresh_from_db()
    fields = instance._meta.get_fields()
    names = [field.name for field in fields if field.concrete]
    values = {name: getattr(instance, name) for name in names}
    return {
        name: [*value.all()] if hasattr(value, "all") else value for name, value in values.items()
    }


def write(instance, name, value):
    """Write one field, as somebody else does."""
    if instance._meta.get_field(name).many_to_many:
        getattr(instance, name).set(value)
    else:
        type(instance).objects.filter(pk=instance.pk).update(**{name: value})


# Stories


def test_product_keeps_the_price_and_the_retiring_of_somebody_else(in_the_admin, product):
    form = open_form(in_the_admin, product)
    product.update_fields(price="15.00", is_active=False)
    response = in_the_admin.post(page_of(product), form | {"description": "Freshly roasted."})
    assert response.status_code == 302
    product.refresh_from_db()
    assert (str(product.price), product.is_active) == ("15.00", False)
    assert product.description == "Freshly roasted."
    assert history_of(in_the_admin, product) == ["Changed Description (empty → Freshly roasted.)."]


def test_delivery_booked_in_a_stale_tab_leaves_a_product_retired(in_the_admin, product):
    form = open_form(in_the_admin, product)
    product.update_fields(is_active=False)
    row = {"adjustments-0-delta": "5", "adjustments-0-reason": "delivery"}
    assert in_the_admin.post(page_of(product), form | row).status_code == 302
    product.refresh_from_db()
    assert (product.is_active, product.quantity_in_stock) == (False, 105)


def test_customer_keeps_what_they_changed_themselves(in_the_admin, alice, as_alice):
    form = open_form(in_the_admin, alice)
    as_alice.patch("/api/customers/me/", {"street_1": "Åboulevarden 1"})
    Customer.objects.filter(pk=alice.pk).update(email="new@example.com")
    assert in_the_admin.post(page_of(alice), form | {"city": "Ribe"}).status_code == 302
    alice.refresh_from_db()
    assert (alice.street_1, alice.email, alice.city) == (
        *("Åboulevarden 1", "new@example.com", "Ribe"),
    )


def test_deactivated_customer_stays_deactivated(in_the_admin, alice):
    form = open_form(in_the_admin, alice)
    submit(in_the_admin, page_of(alice), is_active=[])
    in_the_admin.post(page_of(alice), form | {"city": "Ribe"})
    alice.refresh_from_db()
    assert (alice.is_active, alice.city) == (False, "Ribe")


# Every model


def get_other_values(field, instance):
    """Return two valid values of a form field that this row does not have."""
    if isinstance(field, forms.BooleanField):
        return [not field.prepare_value(getattr(instance, "is_active", False))] * 2
    if isinstance(field, forms.ModelMultipleChoiceField):
        return [[row.pk] for row in field.queryset.order_by("pk")[:2]]
    if isinstance(field, forms.ModelChoiceField):
        return [*field.queryset.exclude(pk=instance.pk).values_list("pk", flat=True)[:2]]
    if isinstance(field, forms.MultipleChoiceField):
        return [[value] for value, _ in field.choices[:2]]
    if isinstance(field, forms.IntegerField) and not isinstance(field, forms.DecimalField):
        return ["7", "8"]
    if isinstance(field, forms.DecimalField):
        return ["15.00", "16.00"]
    if isinstance(field, forms.EmailField):
        return ["a@example.com", "b@example.com"]
    if field.label == "URL":
        return ["https://8.8.8.8/a", "https://8.8.8.8/b"]
    if field.label == "GTIN":
        return ["96385074", "036000291452"]
    return ["Another", "Third"]


@pytest.fixture
def instance_of(alice, product):
    def get_instance(model):
        if model in (Customer, Staff):
            Group.objects.bulk_create([Group(name="Couriers"), Group(name="Editors")])
        if model is Order:
            return factories.place(alice, {product: 1})
        if model is AccessToken:
            return AccessToken.issue(alice)
        if model in (Product, Category):
            baker.make(Category, _fill_optional=["slug"], _quantity=3)
        if model is OrderMail:
            order = factories.place(alice, {product: 1})
            return OrderMail.objects.create(order=order, name=OrderMail.Name.PLACED)
        if model is Endpoint:
            endpoint = Endpoint(url="https://8.8.8.8/")
            endpoint.start()
            endpoint.save()
            return endpoint
        known = {
            Customer: alice,
            Staff: alice,  # whose page is the customer's
            Product: product,
            StockAdjustment: product.adjustments.get(),
        }
        return known.get(model) or baker.make(model)

    return get_instance


@pytest.mark.parametrize("model", admin.site._registry)
def test_every_form_keeps_what_its_user_did_not_touch(in_the_admin, instance_of, model):
    instance = instance_of(model)
    page = in_the_admin.get(page_of(instance))
    fields = page.context["adminform"].form.fields
    if "shown" not in page.context:
        assert in_the_admin.post(page_of(instance), {}).status_code == 403
        return
    for name, field in fields.items():
        if field.disabled:
            continue
        form = open_form(in_the_admin, instance)
        theirs, _ = get_other_values(field, instance)
        write(instance, name, theirs)
        before = values_of(instance)
        assert in_the_admin.post(page_of(instance), form).status_code == 302, name
        assert values_of(instance) == before, name


@pytest.mark.parametrize("model", [Product, Customer, Group])
def test_every_form_refuses_a_change_of_what_somebody_else_changed(
    in_the_admin, instance_of, model
):
    instance = instance_of(model)
    fields = in_the_admin.get(page_of(instance)).context["adminform"].form.fields
    for name, field in fields.items():
        if field.disabled or isinstance(field, forms.BooleanField):  # the change is the same
            continue
        form = open_form(in_the_admin, instance)
        theirs, mine = get_other_values(field, instance)
        write(instance, name, theirs)
        before = values_of(instance)
        response = in_the_admin.post(page_of(instance), form | {name: mine})
        assert response.status_code == 409, name
        assert [conflict.label for conflict in response.context["conflicts"]] == [field.label]
        assert values_of(instance) == before, name
    assert not LogEntry.objects.exists()


def test_no_list_has_forms():
    """Those of `list_editable` would carry nothing of what they showed."""
    assert not any(model_admin.list_editable for model_admin in admin.site._registry.values())


# Conflicts


@pytest.fixture
def conflict(in_the_admin, product):
    """The response to a form whose price somebody else changed."""
    form = open_form(in_the_admin, product)
    product.update_fields(price="15.00", is_active=False)
    row = {"adjustments-0-delta": "5", "adjustments-0-reason": "delivery"}
    return in_the_admin.post(page_of(product), form | row | {"name": "Moka", "price": "14.00"})


def test_conflict_shows_all_values_and_saves_nothing(conflict, product, caplog):
    assert conflict.status_code == 409
    page = conflict.content.decode()
    (row,) = re.findall("<tr>\n<th scope.*?</tr>", page, re.DOTALL)
    assert re.findall(">(.+)</", row) == ["Price", "12.50", "15.00", "14.00"]
    assert "Somebody else changed this meanwhile." in page
    row = Product.objects.get()
    assert (row.name, str(row.price), row.quantity_in_stock) == (product.name, "15.00", 100)
    assert not LogEntry.objects.exists()
    assert "14.00" not in caplog.text


def test_form_after_a_conflict_has_the_users_and_the_current_values(
    conflict, in_the_admin, product
):
    form = form_data(conflict)
    entries = {name: form[name] for name in ("name", "price", "adjustments-0-delta")}
    assert entries == {"name": ["Moka"], "price": ["14.00"], "adjustments-0-delta": ["5"]}
    assert "is_active" not in form
    assert in_the_admin.post(page_of(product), form).status_code == 302
    row = Product.objects.get()
    assert (row.name, str(row.price), row.is_active) == ("Moka", "14.00", False)
    assert row.quantity_in_stock == 105


def test_form_after_a_conflict_can_conflict_again(conflict, in_the_admin, product):
    form = form_data(conflict)
    product.update_fields(price="17.00")
    response = in_the_admin.post(page_of(product), form)
    assert [(row.shown, row.saved) for row in response.context["conflicts"]] == [("15.00", "17.00")]


def test_same_change_by_two_is_no_conflict(in_the_admin, product):
    form = open_form(in_the_admin, product)
    product.update_fields(price="15.00")
    assert in_the_admin.post(page_of(product), form | {"price": "15,0"}).status_code == 302
    assert history_of(in_the_admin, product) == []


def test_entry_with_an_error_conflicts_too(in_the_admin, product):
    form = open_form(in_the_admin, product)
    product.update_fields(price="15.00")
    response = in_the_admin.post(page_of(product), form | {"price": "1.400,00"})
    assert response.status_code == 409
    assert "Enter an amount such as 12.50" in response.content.decode()


def test_refused_form_shows_current_values_of_what_was_not_touched(in_the_admin, product):
    form = open_form(in_the_admin, product)
    product.update_fields(is_active=False, description="Roasted.")
    response = in_the_admin.post(page_of(product), form | {"price": "x"})
    assert response.status_code == 200
    form = form_data(response)
    assert ("is_active" in form, form["description"], form["price"]) == (
        *(False, ["Roasted."], ["x"]),
    )
    assert in_the_admin.post(page_of(product), form | {"price": "14"}).status_code == 302
    row = Product.objects.get()
    assert (row.is_active, row.description, str(row.price)) == (False, "Roasted.", "14.00")


def test_conflict_names_rows_and_choices(in_the_admin, alice):
    clerks, managers = Group.objects.create(name="Couriers"), Group.objects.create(name="Masters")
    form = open_form(in_the_admin, alice)
    alice.groups.set([clerks])
    response = in_the_admin.post(page_of(alice), form | {"groups": [clerks.pk, managers.pk]})
    (row,) = response.context["conflicts"]
    assert (row.shown, row.saved, row.entered) == ("empty", "Couriers", "Couriers, Masters")


# What the user did not touch


@pytest.mark.parametrize("description", ["Two\nlines.", "Blanks  ", "\nFirst.", "  ", "a\rb"])
def test_text_that_browsers_and_forms_alter_is_not_changed(in_the_admin, product, description):
    product.update_fields(description=description)
    response = submit(in_the_admin, page_of(product), name="Moka")
    assert response.status_code == 302
    assert Product.objects.get().description == description
    assert history_of(in_the_admin, product) == [f"Changed Name ({product.name} → Moka)."]


def test_field_that_was_not_shown_is_not_cleared(client, clerk, alice):
    """Not even if the user may change it by the time the form is sent."""
    clerk.user_permissions.set(Permission.objects.filter(codename="change_customer"))
    client.force_login(clerk)
    form = open_form(client, clerk)
    Customer.objects.filter(pk=clerk.pk).update(is_superuser=True)
    assert client.post(page_of(clerk), form | {"city": "Ribe"}).status_code == 302
    clerk.refresh_from_db()
    assert (clerk.city, clerk.is_staff, clerk.is_superuser) == ("Ribe", True, True)
    assert clerk.user_permissions.exists()


def test_group_that_was_deleted_meanwhile_hinders_nobody(in_the_admin, alice):
    group = Group.objects.create(name="Couriers")
    alice.groups.add(group)
    form = open_form(in_the_admin, alice)
    group.delete()
    assert in_the_admin.post(page_of(alice), form | {"city": "Ribe"}).status_code == 302


def test_longest_text_fits_twice_into_a_form(in_the_admin, product):
    """The form has it, and what was shown."""
    text = "".join(chr(0x4E00 + number) for number in range(5_000))
    product.update_fields(description=text)
    assert submit(in_the_admin, page_of(product), name="Moka").status_code == 302


# The hidden input


def test_form_without_valid_shown_values_is_refused(in_the_admin, product):
    form = open_form(in_the_admin, product) | {"price": "9.00"}
    (shown,) = form.pop("_shown")
    forged = signing.dumps({"None": [str(product.pk), {}]}, key="guess", salt="products.product")
    other = open_form(in_the_admin, factories.products.make())["_shown"]
    group = open_form(in_the_admin, Group.objects.create(name="x"))["_shown"]
    for value in ([], "", "x", shown[:-1], shown[1:], "." + shown, "é" * 100, forged, other, group):
        response = in_the_admin.post(page_of(product), form | {"_shown": value})
        assert response.status_code == 400, value
    product.refresh_from_db()
    assert str(product.price) == "12.50"


# History


def test_history_shows_old_and_new_values_of_what_changed(in_the_admin, product, alice):
    submit(in_the_admin, page_of(product), price="15.00", is_active=[])
    submit(in_the_admin, page_of(product))
    assert history_of(in_the_admin, product) == [
        "Changed Price (12.50 → 15.00) and For sale (yes → no)."
    ]
    submit(in_the_admin, page_of(alice), street_1="Åboulevarden 1")
    assert history_of(in_the_admin, alice) == ["Changed Street (Kattesundet 4 → Åboulevarden 1)."]


def test_history_shows_which_rows_were_added_and_removed(in_the_admin, alice):
    clerks, managers = Group.objects.create(name="Couriers"), Group.objects.create(name="Masters")
    submit(in_the_admin, page_of(alice), groups=[clerks.pk])
    submit(in_the_admin, page_of(alice), groups=[managers.pk])
    assert history_of(in_the_admin, alice) == [
        "Changed Groups (added: Couriers).",
        "Changed Groups (added: Masters; removed: Couriers).",
    ]


def test_history_cuts_long_texts(in_the_admin, product):
    submit(in_the_admin, page_of(product), description="a" * 5_000)
    (text,) = history_of(in_the_admin, product)
    assert text == f"Changed Description (empty → {'a' * 99}…)."


def test_password_is_in_no_history(in_the_admin, alice):
    form = {"usable_password": "true", "set-password": ""}
    form |= {"password1": factories.PASSWORD, "password2": factories.PASSWORD}
    assert in_the_admin.post(page_of(alice, "password"), form).status_code == 302
    assert history_of(in_the_admin, alice) == ["Changed password."]
