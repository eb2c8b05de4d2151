"""SQLite's disk is full: orders are rejected, nothing is lost, and the shop recovers."""

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
    """A separate file system of 8 MB."""
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


def fill_disk(disk):
    """Fill the disk to the last block."""
    with (disk / FILLER).open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return


def test_full_disk_returns_503_loses_nothing_and_recovers(small_disk):
    url = f"sqlite:///{small_disk}/shop.sqlite3"
    manage(url, "migrate", "--verbosity", "0")
    manage(url, "seed_shop", "--products", "20", "--customers", "2", "--orders", "10")
    with closing(sqlite3.connect(small_disk / "shop.sqlite3")) as database:
        ((token,),) = database.execute(
            "SELECT min(key) FROM authtoken_token JOIN customers_customer ON user_id = id"
            " WHERE NOT is_staff"
        )
    server = Server(workers=2, DATABASE_URL=url).start()
    try:
        client = server.client()
        client.headers = {"Authorization": f"Token {token}"}
        products = client.call("GET", "/api/products/?in_stock=true").body["results"]
        quantities = {products[0]["id"]: 1}
        ids = [client.order(quantities).body["id"]]
        fill_disk(small_disk)
        error_response = None
        for number in range(2_000):  # SQLite's log has room for some more
            response = client.order(quantities, Idempotency_Key=f"key-{number}")
            if response.status != 201:
                error_response = response
                break
            ids.append(response.body["id"])
        assert error_response.status == 503
        assert error_response.body["code"] == "service_unavailable"
        assert client.call("GET", "/api/products/").status == 200
        assert client.call("GET", f"/api/orders/{ids[-1]}/").status == 200
        (small_disk / FILLER).unlink()
        retry = client.order(quantities, Idempotency_Key=f"key-{number}")
        assert retry.status == 201
        ids.append(retry.body["id"])
        orders = client.call("GET", "/api/orders/?items_per_page=100").body["results"]
        assert [order["id"] for order in orders][: len(ids)] == ids[::-1][:100]
        manage(url, "verify_stock")
    finally:
        server.stop()
