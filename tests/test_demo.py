import pytest
from django.core.management import CommandError, call_command

from customers.checks import PUBLISHED_LOGINS
from customers.models import Customer
from products.models import Product
from tests import factories


def test_demo_is_loaded_into_an_empty_shop_in_debug(db, settings, capsys):
    settings.DEBUG = True
    call_command("load_demo")
    assert Product.objects.exists()
    assert not Product.objects.filter(images=None).exists()
    output = capsys.readouterr().out
    assert all(f"{name} / {password}" in output for name, password in PUBLISHED_LOGINS.items())


def test_demo_shop_covers_all_cases(demo_shop):
    stock = sorted(Product.objects.values_list("quantity_in_stock", flat=True))
    assert len(stock) >= 24
    assert stock[0] == 0 < stock[1] <= 3
    assert not Product.objects.filter(description="").exists()
    superusers = Customer.objects.filter(is_superuser=True)
    assert [customer.username for customer in superusers] == ["admin"]
    shoppers = Customer.objects.filter(is_staff=False)
    assert len({shopper.country for shopper in shoppers}) == len(shoppers) == 2


def test_rows_of_the_demo_shop_are_valid(demo_shop):
    for row in [*Product.objects.all(), *Customer.objects.all()]:
        row.full_clean()


def test_published_log_ins_work(demo_shop, api):
    for username, password in PUBLISHED_LOGINS.items():
        response = api.post("/api/obtain-token", {"username": username, "password": password})
        assert response.status_code == 200


def test_new_rows_follow_those_of_the_demo_shop(demo_shop, api):
    data = {"username": "dora", "email": "dora@example.com", "password": factories.PASSWORD}
    assert api.post("/api/customers/", data).json()["id"] == 4


def test_demo_shop_keeps_an_existing_superuser_and_loads_once(db, settings, capsys):
    settings.DEBUG = True
    owner = factories.customers.make(username="owner", is_superuser=True)
    call_command("load_demo")
    products = list(Product.objects.order_by("id").values())
    call_command("load_demo")
    assert list(Product.objects.order_by("id").values()) == products != []
    names = Customer.objects.order_by("id").values_list("username", flat=True)
    assert list(names) == ["owner", *PUBLISHED_LOGINS]
    assert Customer.objects.get(pk=owner.pk).username == "owner"
    call_command("verify_stock")


def test_existing_usernames_and_email_addresses_are_left_alone(db, settings):
    settings.DEBUG = True
    mine = factories.customers.make(username="Admin", email="me@example.com")
    hers = factories.customers.make(username="vogt", email="Lena.Vogt@example.com")
    call_command("load_demo")
    assert {customer.username for customer in Customer.objects.all()} == {"Admin", "vogt", "tomas"}
    assert Customer.objects.get(pk=mine.pk).password == mine.password
    assert Customer.objects.get(pk=hers.pk).email == hers.email


def test_shop_with_products_gets_no_demo_products(product, settings):
    settings.DEBUG = True
    call_command("load_demo")
    assert Product.objects.get() == product


def test_production_gets_no_published_passwords(db):
    with pytest.raises(CommandError, match="DEBUG=false"):
        call_command("load_demo")
    assert not Customer.objects.exists()


def test_log_in_is_printed_only_while_it_works(demo_shop, settings, capsys):
    settings.DEBUG = True
    Customer.objects.get(username="admin").change_password("my-bee-loud-glade")
    capsys.readouterr()
    call_command("load_demo")
    output = capsys.readouterr().out
    assert "admin" not in output
    assert "log-in: lena / harbour-lane-lena" in output
