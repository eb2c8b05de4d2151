"""The disk of SQLite's file is full: orders are refused, nothing is lost, and then it goes on."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from django.conf import settings
from django.db import connection

from tests.servers import Server

FILLER = "filler"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MB of its own."""
    if connection.vendor != "sqlite":
        pytest.skip("it is SQLite's file that is meant")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield disk
    unmount = ["umount", "--lazy", str(disk)]
    subprocess.run(unmount, check=True)


def manage(url, *command):
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def fill(disk):
    """Leave no block free."""
    with (disk / FILLER).open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return


def test_full_disk_is_a_503_that_loses_nothing_and_passes(small_disk):
    url = f"sqlite:///{small_disk}/shop.sqlite3"
    manage(url, "migrate", "--verbosity", "0")
    manage(url, "seed_shop", "--products", "20", "--customers", "2", "--orders", "10")
    with closing(sqlite3.connect(small_disk / "shop.sqlite3")) as file:
        ((token,),) = file.execute(
            "SELECT min(key) FROM authtoken_token JOIN customers_customer ON user_id = id"
            " WHERE NOT is_staff"
        )
    server = Server(workers=2, DATABASE_URL=url).start()
    try:
        client = server.client()
        client.headers = {"Authorization": f"Token {token}"}
        products = client.call("GET", "/api/products/?in_stock=true").body["results"]
        quantities = {products[0]["id"]: 1}
        placed = [client.order(quantities).body["id"]]
        fill(small_disk)
        refused = None
        for number in range(2_000):  # what is left of the log of SQLite takes some more
            answer = client.order(quantities, Idempotency_Key=f"key-{number}")
            if answer.status != 201:
                refused = answer
                break
            placed.append(answer.body["id"])
        assert refused.status == 503
        assert refused.body["code"] == "service_unavailable"
        assert client.call("GET", "/api/products/").status == 200
        assert client.call("GET", f"/api/orders/{placed[-1]}/").status == 200
        (small_disk / FILLER).unlink()
        again = client.order(quantities, Idempotency_Key=f"key-{number}")
        assert again.status == 201
        placed.append(again.body["id"])
        history = client.call("GET", "/api/orders/?items_per_page=100").body["results"]
        assert [order["id"] for order in history][: len(placed)] == placed[::-1][:100]
        manage(url, "verify_stock")
    finally:
        server.stop()
