import pytest
from django.core.management import CommandError, call_command

from customers.checks import PUBLISHED_LOGINS
from customers.models import Customer
from products.models import Product
from tests import factories


def test_empty_shop_in_debug_becomes_the_demo_shop(db, settings, capsys):
    settings.DEBUG = True
    call_command("load_demo")
    assert Product.objects.exists()
    told = capsys.readouterr().out
    assert all(f"{name} / {password}" in told for name, password in PUBLISHED_LOGINS.items())


def test_demo_shop_has_something_of_everything(demo_shop):
    stock = sorted(Product.objects.values_list("quantity_in_stock", flat=True))
    assert len(stock) >= 24
    assert stock[0] == 0 < stock[1] <= 3
    assert not Product.objects.filter(description="").exists()
    assert [c.username for c in Customer.objects.filter(is_superuser=True)] == ["admin"]
    shoppers = Customer.objects.filter(is_staff=False)
    assert len({shopper.country for shopper in shoppers}) == len(shoppers) == 2


def test_rows_of_the_demo_shop_are_what_forms_would_accept(demo_shop):
    for row in [*Product.objects.all(), *Customer.objects.all()]:
        row.full_clean()


def test_published_log_ins_work(demo_shop, api):
    for username, password in PUBLISHED_LOGINS.items():
        answer = api.post("/api/obtain-token", {"username": username, "password": password})
        assert answer.status_code == 200


def test_new_rows_follow_those_of_the_demo_shop(demo_shop, api):
    form = {"username": "dora", "email": "dora@example.com", "password": factories.PASSWORD}
    assert api.post("/api/customers/", form).json()["id"] == 4


def test_demo_shop_joins_a_superuser_made_before_and_loads_once(db, settings, capsys):
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


def test_names_and_addresses_that_are_taken_stay_whose_they_are(db, settings):
    settings.DEBUG = True
    mine = factories.customers.make(username="Admin", email="me@example.com")
    hers = factories.customers.make(username="vogt", email="Lena.Vogt@example.com")
    call_command("load_demo")
    assert {c.username for c in Customer.objects.all()} == {"Admin", "vogt", "tomas"}
    assert Customer.objects.get(pk=mine.pk).password == mine.password
    assert Customer.objects.get(pk=hers.pk).email == hers.email


def test_shop_with_products_of_its_own_gets_no_others(product, settings):
    settings.DEBUG = True
    call_command("load_demo")
    assert Product.objects.get() == product


def test_production_gets_no_published_passwords(db):
    with pytest.raises(CommandError, match="DEBUG=false"):
        call_command("load_demo")
    assert not Customer.objects.exists()


def test_log_in_is_told_only_while_it_works(demo_shop, settings, capsys):
    settings.DEBUG = True
    Customer.objects.get(username="admin").change_password("my-bee-loud-glade")
    capsys.readouterr()
    call_command("load_demo")
    told = capsys.readouterr().out
    assert "admin" not in told
    assert "log-in: lena / harbour-lane-lena" in told
