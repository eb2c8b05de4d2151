import os
import shutil
import socket
import subprocess
import time

import pytest
from django.core.management import call_command
from django.db import connection

from tests import factories
from tests.clusters import cluster  # noqa: F401  a fixture
from tests.contract import ContractClient
from tests.listeners import sentry  # noqa: F401  a fixture
from tests.migrations import changed  # noqa: F401  a fixture
from tests.servers import GENEROUS, Server, free_port

# What modules of long proofs use: servers, commands as processes, random histories.
SLOW = {"Server", "subprocess", "python", "hypothesis"}


def pytest_collection_modifyitems(items):
    """Mark as slow what starts processes of the shop, or runs through random histories."""
    for item in items:
        if SLOW & vars(item.module).keys() or {"shop", "cluster"} & set(item.fixturenames):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix, tmp_path_factory):
    """Have SQLite's test database be a file, as in production, in a folder of pytest's.

    Threads of a test then have connections of their own, and each process of pytest has its file.
    """
    if connection.vendor == "sqlite":
        name = tmp_path_factory.mktemp("database") / "test.sqlite3"
        connection.settings_dict["TEST"]["NAME"] = str(name)


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    """The production hash takes a fifth of a second, on purpose; fixtures are hashed with it."""
    quick = "django.contrib.auth.hashers.MD5PasswordHasher"
    settings.PASSWORD_HASHERS = [quick, *settings.PASSWORD_HASHERS]


@pytest.fixture(autouse=True)
def generous_rates(settings):
    """Tests of limits set their own; the others ask more in a minute than any caller may."""
    settings.RATES = dict.fromkeys(settings.RATES, GENEROUS)


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
    # Not load_demo, which hashes three passwords to tell which log-ins work.
    call_command("loaddata", "customers", "products", verbosity=0)


@pytest.fixture
def api(db):
    """A client without a log-in; `api.of(customer)` is one that sends the customer's token."""
    return ContractClient()


@pytest.fixture
def as_alice(api, alice):
    return api.of(alice)


@pytest.fixture
def as_bob(api, bob):
    return api.of(bob)


@pytest.fixture
def as_clerk(api, clerk):
    return api.of(clerk)


@pytest.fixture(scope="session")
def running_shop(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        server = Server().start()
    yield server
    server.stop()


@pytest.fixture
def shop(running_shop, transactional_db):
    """The shop in four worker processes, on the test database; what tests write is committed."""
    return running_shop


@pytest.fixture
def fresh(tmp_path, transactional_db):
    """The name of an empty database."""
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
    """A Redis of our own."""
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
