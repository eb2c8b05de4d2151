"""The runbook's own commands back the shop up while orders come in, and restore it.

Run by `make deploy-check`, since it wants pg_dump and the program sqlite3.
"""

import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from PIL import Image

from changes.models import Change, UnknownCursor
from orders.models import Order
from products.models import ProductImage
from tests import factories, pictures
from tests.deploy.shoppers import Shoppers
from tests.deploy.test_files import read
from tests.servers import Server, database_url

RESTORED = "shop_restored"  # the runbook's name for it


def commands(section):
    """The commands of a section of the runbook for the database of this run, and for pictures."""
    text = read("docs/operations.md").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    postgresql, sqlite, pictures = re.findall(r"(?:^    .*\n)+", text, re.MULTILINE)
    return {"postgresql": postgresql, "sqlite": sqlite}[connection.vendor] + pictures


@pytest.fixture
def run(tmp_path):
    """Run commands in one shell, in a folder with manage.py and SQLite's file."""
    (tmp_path / "manage.py").symlink_to(settings.BASE_DIR / "manage.py")
    (tmp_path / "db.sqlite3").symlink_to(database_url().removeprefix("sqlite:///"))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "DATABASE_URL": database_url()}
    environment["MEDIA_ROOT"] = settings.MEDIA_ROOT

    def run(script, **variables):
        shell = ["bash", "-euxc", script]
        subprocess.run(shell, cwd=tmp_path, env=environment | variables, check=True, timeout=120)

    yield run
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {RESTORED} WITH (FORCE)")


@contextmanager
def restored(folder):
    """Django's connection goes to the restored database."""
    name = folder / f"{RESTORED}.sqlite3" if connection.vendor == "sqlite" else RESTORED
    connection.close()
    with patch.dict(connection.settings_dict, {"NAME": name}):
        yield
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_runbook_restores_every_order_acknowledged_before_the_backup(run, tmp_path, clerk):
    picture = pictures.add(factories.products.make(), clerk)
    server = Server(workers=2, out=subprocess.DEVNULL).start()
    try:
        with Shoppers(server) as shoppers:
            shoppers.go_on(50)
            before = set(shoppers.acknowledged)
            cursor = Change.objects.latest_cursor()
            run(commands("Back up"))
            during = len(shoppers.acknowledged) - len(before)
            shoppers.go_on(10)
    finally:
        server.stop()
    assert during, "no order came in during the backup"
    assert not shoppers.failures
    (backup,) = tmp_path.glob("shop-*.backup")
    for path in Path(settings.MEDIA_ROOT).iterdir():
        shutil.rmtree(path)
    run(commands("Restore"), BACKUP=backup.name)
    with restored(tmp_path):
        with ProductImage.objects.get().file.open() as file:
            assert Image.open(file).size == (picture.width, picture.height)
        orders = {order.pk: order for order in Order.objects.prefetch_related("items", "events")}
        call_command("verify_stock")
        with pytest.raises(UnknownCursor):
            Change.objects.read(cursor)
        assert Change.objects.read(Change.objects.latest_cursor())[0] == []
    assert before <= orders.keys() < set(shoppers.acknowledged)
    for order in orders.values():
        (item,) = order.items.all()
        assert item.line_total == order.total_price
        assert [event.status for event in order.event_list] == ["placed"]
