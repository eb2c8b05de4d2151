"""Backups of a shop that goes on selling, restored, and what neither command does."""

import os
import re
import shutil
import stat
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from unittest.mock import patch

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from orders import books
from orders.models import Order
from products.models import Product
from shopply.management import backups, backups_sqlite
from tests import factories
from tests.migrations import LAST
from tests.servers import Server, database_url
from tests.test_settings import python

THREADS = 4
PATIENCE = 60  # seconds

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "shop.backup"


@pytest.fixture
def sale(alice):
    """A shop with one order."""
    return factories.place(alice, {factories.products.make(): 3})


@contextmanager
def database(name):
    """Django's connection goes to this database instead."""
    connection.close()
    try:
        with patch.dict(connection.settings_dict, {"NAME": name}):
            yield
            connection.close()
    finally:
        connection.close()


class Shoppers:
    """Threads that order for as long as the block lasts."""

    def __init__(self, server):
        customers = factories.customers.make(_quantity=2)
        self.clients = [server.client(customer) for customer in customers]
        self.products = [factories.products.make(quantity_in_stock=1_000_000).pk for _ in range(5)]
        self.closed = threading.Event()
        self.acknowledged = []  # (when it was sent, the answer's body)
        self.turned_away = set()  # other statuses

    def __enter__(self):
        self.pool = ThreadPoolExecutor(THREADS)
        self.shoppers = [self.pool.submit(self.shop, n) for n in range(THREADS)]
        return self

    def __exit__(self, *failure):
        self.closed.set()
        self.pool.shutdown()
        for shopper in self.shoppers:
            shopper.result()

    def shop(self, n):
        client, products = self.clients[n % 2], self.products[n:] + self.products[:n]
        while not self.closed.is_set():
            sent = time.monotonic()
            answer = client.order({products[0]: 1, products[1]: 2, products[2]: n + 1})
            if answer.status == 201:
                self.acknowledged.append((sent, answer.body))
            else:
                self.turned_away.add(answer.status)

    def wait_for(self, more):
        wanted, deadline = len(self.acknowledged) + more, time.monotonic() + PATIENCE
        while len(self.acknowledged) < wanted:
            assert time.monotonic() < deadline, "nobody can order"
            time.sleep(0.01)

    def told(self, since=0):
        """`{order id: the answer}` of those sent since."""
        return {body["id"]: body for sent, body in list(self.acknowledged) if sent >= since}


@pytest.fixture
def server():
    server = Server(workers=2, out=subprocess.DEVNULL).start()
    yield server
    server.stop()


def held():
    return {order.pk: order for order in Order.objects.prefetch_related("items", "events")}


def assert_whole(order, told):
    assert [event.status for event in order.events.all()] == ["placed"]
    lines = order.items.all()
    assert [(line.product_id, line.quantity, f"{line.line_total}") for line in lines] == [
        (item["product"], item["quantity"], item["line_total"]) for item in told["items"]
    ]
    assert f"{sum(line.line_total for line in lines)}" == told["total_price"]
    assert f"{order.total_price}" == told["total_price"]


def test_backup_of_a_shop_that_sells_is_whole_and_has_all_orders_before_it(
    server, file, fresh, capsys, monkeypatch
):
    monkeypatch.setattr(backups_sqlite, "PAGES", 1)  # so that orders come between any two
    with Shoppers(server) as shoppers:
        shoppers.wait_for(40)
        before = shoppers.told()
        call_command("backup", file)
        meanwhile = shoppers.told().keys() - before
        shoppers.wait_for(10)
    assert meanwhile, "the backup met no load"
    assert not shoppers.turned_away
    with database(fresh):
        call_command("restore", file)
        assert capsys.readouterr().out.endswith("The stock of every product adds up.\n")
        restored, told = held(), shoppers.told()
        assert before.keys() <= restored.keys() < told.keys()
        for pk, order in restored.items():
            assert_whole(order, told[pk])


def test_server_that_runs_goes_on_with_what_was_restored(server, file):
    with Shoppers(server) as shoppers:
        shoppers.wait_for(10)
        call_command("backup", file)
        shoppers.wait_for(10)
        call_command("restore", file, "--discard-orders")
        restored = time.monotonic()
        shoppers.wait_for(20)
    assert shoppers.turned_away <= {503}
    now, since = held(), shoppers.told(restored)
    assert since
    assert since.keys() <= now.keys()
    assert len(now) < len(shoppers.acknowledged), "nothing was given up"
    for pk, order in now.items():
        answers = [body for _, body in shoppers.acknowledged if body["id"] == pk]
        assert_whole(order, answers[-1])  # ids that were given up are given again
    assert not books.unbalanced()


def test_restored_shop_sells_on(sale, file, fresh):
    call_command("backup", file)
    with database(fresh):
        call_command("restore", file)
        second = factories.place(sale.customer, {Product.objects.get(): 1})
        assert second.pk == sale.pk + 1
        assert not books.unbalanced()
        factories.products.make()
        with connection.cursor() as cursor:  # which triggers write
            cursor.execute("SELECT for_sale FROM products_census")
            assert cursor.fetchone() == (2,)


def test_backup_is_for_its_owner_and_leaves_nothing_beside_it(sale, file, capsys):
    call_command("backup", file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert re.search(
        r"shop\.backup is whole: \d+\.\d MB, 1 order or more\.", capsys.readouterr().out
    )


def test_progress_is_told_in_megabytes(monkeypatch):
    lines = []
    monkeypatch.setattr(backups, "PROGRESS_EVERY", 0)
    tell = backups.progress(lines.append)
    tell(1_500_000)
    tell(1_500_000, 3_000_000)
    assert lines == ["1.5 MB", "1.5 MB of 3.0 MB"]


def test_file_that_exists_is_overwritten_only_if_told_and_stays_whole_meanwhile(sale, file):
    file.write_text("of yesterday")
    with pytest.raises(CommandError, match="exists: take another name, or --overwrite it"):
        call_command("backup", file)
    with suppress(KeyboardInterrupt), backups.made_whole(file, overwrite=True) as part:
        part.write_text("half")
        raise KeyboardInterrupt
    assert file.read_text() == "of yesterday"
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    call_command("backup", file, "--overwrite")
    backups.database().verify(file)


@pytest.mark.parametrize("name", ["no/such/folder/shop.backup", "."])
def test_file_that_cannot_be_written_is_told_in_a_sentence(sale, tmp_path, name):
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("backup", tmp_path / name)


def test_database_without_a_shop_is_not_backed_up(file, fresh):
    with database(fresh), pytest.raises(CommandError, match="holds no shop"):
        call_command("backup", file)
    assert not file.exists()


def test_orders_are_given_up_only_if_told(sale, file):
    call_command("backup", file)
    second = factories.place(sale.customer, {Product.objects.get(): 1})
    with pytest.raises(CommandError, match="holds 2 orders.*--discard-orders"):
        call_command("restore", file)
    assert held().keys() == {sale.pk, second.pk}
    call_command("restore", file, "--discard-orders")
    assert held().keys() == {sale.pk}
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            assert cursor.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def damaged(content):
    yield "that stops half way", content[: len(content) // 2]
    yield "with a hole", content[:4096] + bytes(8192) + content[12288:]  # where no page is free
    yield "that is another thing", b"PK" + bytes(5_000)
    yield "that is empty", b""


def test_damaged_backup_changes_nothing(sale, file):
    call_command("backup", file)
    for what, content in damaged(file.read_bytes()):
        file.write_bytes(content)
        with pytest.raises(CommandError):
            call_command("restore", file, "--discard-orders")
        assert held().keys() == {sale.pk}, what
    with pytest.raises(CommandError, match="There is no file"):
        call_command("restore", file.parent / "none")


def test_backup_of_another_kind_of_database_is_named(file):
    ours = connection.display_name
    ((other, begins),) = ((kind, mark) for kind, mark in backups.MARKS.items() if kind != ours)
    file.write_bytes(begins + bytes(5_000))
    told = f"is a backup of {other}, and the database is {ours}. Nothing was changed."
    with pytest.raises(CommandError, match=told):
        call_command("restore", file)


def test_backup_begins_as_its_kind_does(sale, file):
    call_command("backup", file)
    assert file.read_bytes().startswith(backups.MARKS[connection.display_name])


def test_failed_restore_makes_no_file(tmp_path, file):
    file.write_text("no backup")
    outcome = python("manage.py", "restore", str(file), DATABASE_URL=f"sqlite:///{tmp_path}/new")
    assert outcome.returncode == 1
    assert "is no whole backup of SQLite" in outcome.stderr
    assert list(tmp_path.iterdir()) == [file]


def test_backup_with_stock_that_does_not_add_up_is_told(sale, file, fresh):
    Product.objects.update(quantity_in_stock=5)
    call_command("backup", file)
    with database(fresh), pytest.raises(CommandError, match="stock of 1 product does not add up"):
        call_command("restore", file)


def test_backup_of_an_older_release_says_what_to_run(sale, file, fresh, capsys):
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied("orders", LAST)
    call_command("backup", file)
    recorder.record_applied("orders", LAST)
    with database(fresh):
        call_command("restore", file)
        assert "older release: run `manage.py migrate`" in capsys.readouterr().out
        assert held().keys() == {sale.pk}


def test_backup_of_a_later_release_is_refused(sale, file, fresh):
    recorder = MigrationRecorder(connection)
    recorder.record_applied("orders", "0999_later")
    call_command("backup", file)
    recorder.record_unapplied("orders", "0999_later")
    with database(fresh):
        with pytest.raises(CommandError, match="later release, which has orders.0999_later"):
            call_command("restore", file)
        assert backups.orders() is None


def test_restore_that_is_interrupted_changes_nothing(sale, file, monkeypatch):
    if connection.vendor != "sqlite":
        pytest.skip("pg_restore is what has the transaction on PostgreSQL")

    def interrupted(done, of):
        assert done < of / 2
        if done > of / 3:
            raise KeyboardInterrupt

    call_command("backup", file)
    factories.place(sale.customer, {Product.objects.get(): 1})
    monkeypatch.setattr(backups_sqlite, "PAGES", 1)
    with pytest.raises(KeyboardInterrupt):
        backups_sqlite.restore(file, interrupted)
    assert len(held()) == 2
    assert not books.unbalanced()


@pytest.fixture
def on_postgresql():
    if connection.vendor != "postgresql":
        pytest.skip("the suite does not run on PostgreSQL")


def test_database_of_a_later_release_than_the_backup_is_left_alone(on_postgresql, sale, file):
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied("orders", LAST)
    call_command("backup", file)
    recorder.record_applied("orders", LAST)
    with pytest.raises(CommandError, match=f"before: orders.{LAST}"):
        call_command("restore", file, "--discard-orders")
    assert held().keys() == {sale.pk}


def test_password_is_neither_an_argument_nor_told(on_postgresql, sale, file, tmp_path):
    """A program of that name before it on PATH notes how pg_dump is called."""
    notes = tmp_path / "notes"
    for program in ("pg_dump", "pg_restore"):
        script = tmp_path / program
        script.write_text(f'#!/bin/sh\necho "$@" >>{notes}\nexec {shutil.which(program)} "$@"\n')
        script.chmod(0o700)
    url = re.sub("://[^@]*@", "://postgres:rose-and-crown@", database_url())
    path = f"{tmp_path}:{os.environ['PATH']}"
    outcome = python("manage.py", "backup", str(file), DATABASE_URL=url, PATH=path)
    assert outcome.returncode == 0, outcome.stderr
    assert "--format=custom" in notes.read_text()
    assert "rose-and-crown" not in notes.read_text() + outcome.stdout + outcome.stderr
    away = python("manage.py", "backup", str(file), DATABASE_URL=f"{url}_is_not_there", PATH=path)
    assert away.returncode == 1
    assert "The database is out of reach" in away.stderr
    assert "Traceback" not in away.stderr
    assert "rose-and-crown" not in away.stdout + away.stderr


def test_missing_program_is_told_with_its_remedy(on_postgresql, sale, file, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandError, match="pg_dump is not on PATH: install .* postgresql-client-"):
        call_command("backup", file)
    assert not file.exists()


def test_program_older_than_the_server_is_told(on_postgresql, sale, file, tmp_path, monkeypatch):
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n")
    old.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(CommandError, match="pg_dump is of PostgreSQL 9, and the server of"):
        call_command("backup", file)
