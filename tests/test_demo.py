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


def test_shop_with_data_is_left_alone(alice, capsys):
    call_command("load_demo")
    assert Customer.objects.count() == 1
    assert "nothing was loaded" in capsys.readouterr().out


def test_production_gets_no_published_passwords(db):
    with pytest.raises(CommandError, match="DEBUG=false"):
        call_command("load_demo")
    assert not Customer.objects.exists()


def test_log_in_is_told_only_while_it_works(demo_shop, capsys):
    Customer.objects.get(username="admin").change_password("my-bee-loud-glade")
    capsys.readouterr()
    call_command("load_demo")
    told = capsys.readouterr().out
    assert "admin" not in told
    assert "log-in that works: lena / harbour-lane-lena" in told
