"""Mails in the shop's language. In debug they are printed."""

import shutil
import subprocess
from email import message_from_bytes, policy

import pytest
from django.conf import settings

from tests.test_settings import python

PRINT_MAIL = """
import django
django.setup()
from datetime import UTC, datetime
from decimal import Decimal
from orders.models import Order, OrderItem
from shopply.api.mail import send_mail
total = Decimal("2469.00")
created = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
order = Order(pk=17, currency="EUR", total_price=total, created=created)
order.item_list = [OrderItem(name="Kaffee", quantity=2, line_total=total)]
context = {"order": order, "customer_name": "Lena Vogt", "address": []}
send_mail("order_placed", ["lena@example.com"], context)
"""


def test_german_shop_writes_german_with_its_formats():
    environment = {"SHOP_LANGUAGE": "de", "SHOP_TIME_ZONE": "Pacific/Auckland"}
    result = python(
        "-c", PRINT_MAIL, DEBUG="true", DJANGO_SETTINGS_MODULE="shopply.settings", **environment
    )
    message = message_from_bytes(result.stdout.encode(), policy=policy.default)
    text, html = (part.get_content() for part in message.iter_parts())
    assert message["Subject"] == "Ihre Bestellung 17"
    assert "Bestellung 17 vom 2. Mär 2026" in text
    assert "2 × Kaffee: 2469,00 EUR" in text
    assert '<html lang="de">' in html


def test_catalogue_has_each_text_and_is_compiled(tmp_path):
    msgfmt = shutil.which("msgfmt")
    if not msgfmt:
        pytest.skip("no gettext")
    app = settings.BASE_DIR / "mail"
    for folder in ("templates", "locale"):
        shutil.copytree(app / folder, tmp_path / folder)
    options = ("--locale", "de", "--no-location", "--no-obsolete")
    python("-m", "django", "makemessages", *options, cwd=tmp_path).check_returncode()
    source = "locale/de/LC_MESSAGES/django.po"
    committed, extracted = (  # without their headers, which have a date
        (folder / source).read_text(encoding="utf-8").partition("\n\n")[2]
        for folder in (app, tmp_path)
    )
    assert committed == extracted
    subprocess.run([msgfmt, "--output", tmp_path / "django.mo", app / source], check=True)
    assert (tmp_path / "django.mo").read_bytes() == (app / source).with_suffix(".mo").read_bytes()
