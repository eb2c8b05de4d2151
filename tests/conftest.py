import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from tests import factories
from tests.clusters import cluster  # noqa: F401  a fixture
from tests.contract import ContractClient
from tests.listeners import sentry  # noqa: F401  a fixture
from tests.migrations import changed  # noqa: F401  a fixture
from tests.servers import GENEROUS, Server, free_port

# Names in modules of slow tests: they start servers or commands, or draw random histories.
SLOW = {"Server", "subprocess", "python", "hypothesis"}


def pytest_collection_modifyitems(items):
    """Mark tests as slow that start processes of the shop, or draw random histories."""
    for item in items:
        if SLOW & vars(item.module).keys() or {"shop", "cluster"} & set(item.fixturenames):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix, tmp_path_factory):
    """Put SQLite's test database into a file, as in production, in a folder of pytest.

    Each thread of a test then has its own connection, and each process of pytest its own file.
    """
    if connection.vendor == "sqlite":
        name = tmp_path_factory.mktemp("database") / "test.sqlite3"
        connection.settings_dict["TEST"]["NAME"] = str(name)


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    """Hash quickly: the production hash takes a fifth of a second; it stays for the fixtures."""
    quick = "django.contrib.auth.hashers.MD5PasswordHasher"
    settings.PASSWORD_HASHERS = [quick, *settings.PASSWORD_HASHERS]


@pytest.fixture(scope="session")
def media_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("media")


@pytest.fixture(autouse=True)
def media_elsewhere(settings, media_folder):
    """Keep pictures out of the folder of the checkout."""
    settings.MEDIA_ROOT = str(media_folder)


@pytest.fixture(autouse=True)
def generous_rates(settings):
    """Lift the rate limits, which most tests would exceed; tests of limits set their own."""
    settings.RATES = dict.fromkeys(settings.RATES, GENEROUS)


@pytest.fixture
def isolated_subtest(subtests, db):
    """Like `subtests.test`, but what the block writes to the database is undone at its end."""

    @contextmanager
    def isolated_subtest(**names):
        with subtests.test(**names), transaction.atomic():
            yield
            transaction.set_rollback(True)

    return isolated_subtest


@pytest.fixture
def alice(db):
    return factories.customers.make(username="alice", email="alice@example.com")


@pytest.fixture
def bob(db):
    return factories.customers.make(username="bob", email="bob@example.com")


@pytest.fixture
def clerk(db):
    return factories.customers.make(username="clerk", is_staff=True)


@pytest.fixture
def product(db):
    return factories.products.make()


@pytest.fixture
def demo_shop(db):
    # Not load_demo, which hashes three passwords to find out which log-ins work.
    call_command("loaddata", "customers", "products", verbosity=0)


@pytest.fixture
def api(db):
    """A client without a log-in; `api.as_user(customer)` returns one with the customer's token."""
    return ContractClient()


@pytest.fixture
def as_alice(api, alice):
    return api.as_user(alice)


@pytest.fixture
def as_bob(api, bob):
    return api.as_user(bob)


@pytest.fixture
def as_clerk(api, clerk):
    return api.as_user(clerk)


@pytest.fixture(scope="session")
def running_shop(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        server = Server().start()
    yield server
    server.stop()


@pytest.fixture
def shop(running_shop, transactional_db):
    """The shop in four worker processes, on the test database; tests commit what they write."""
    return running_shop


@pytest.fixture
def fresh(tmp_path, transactional_db):
    """The name of a new, empty database."""
    if connection.vendor == "sqlite":
        yield str(tmp_path / "fresh.sqlite3")
        return
    name = f"fresh_{os.getpid()}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    try:
        yield name
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def in_the_admin(client, db):
    """A browser logged in to the admin as a superuser."""
    client.force_login(factories.customers.make(is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def redis_url():
    """The URL of a Redis server for this test."""
    if not shutil.which("redis-server"):
        pytest.skip("no redis-server")
    port = free_port()
    server = subprocess.Popen(
        [
            *("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--loglevel", "warning"),
            *("--save", "", "--appendonly", "no"),
        ],
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            assert time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(0.02)
    yield f"redis://127.0.0.1:{port}/0"
    server.terminate()
    server.wait()
