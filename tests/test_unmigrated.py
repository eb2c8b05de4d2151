"""What the shop and its commands say on a database that lacks migrations, or is away."""

import json

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from tests.migrations import LAST
from tests.servers import Server, database_url
from tests.test_health import assert_page_unavailable
from tests.test_settings import python

BEHIND = "The database is behind on migrations."
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def migrate(fresh):
    """Runs `manage.py migrate` with these arguments, on the fresh database."""

    def migrate(*arguments):
        outcome = python("manage.py", "migrate", *arguments, DATABASE_URL=database_url(fresh))
        assert outcome.returncode == 0, outcome.stderr

    return migrate


@pytest.mark.parametrize("lacking", ["all", "the last"])
def test_database_behind_on_migrations_is_a_503_that_says_so(fresh, migrate, tmp_path, lacking):
    paths, headers = ["/api/products/", "/readyz"], {}
    if lacking == "all":
        paths += ["/api/products/7/", "/api/orders/"]
        headers = {"Authorization": "Token abc"}
    else:
        migrate()
        migrate("products", "0003")
    with (tmp_path / "err").open("wb") as err:
        server = Server(workers=1, log=err, DATABASE_URL=database_url(fresh)).start()
        try:
            for path in paths:
                answer = server.client().call("GET", path, **headers)
                told = answer.body["code"], answer.body["title"], answer.body["detail"]
                assert answer.status == 503, path
                assert told == ("service_unavailable", "Unavailable", BEHIND)
                assert answer.headers["Retry-After"] == "1"
            if lacking == "all":
                assert_page_unavailable(server)
                paths.append("/admin/")
            migrate()
            assert server.client().call("GET", "/api/products/").status == 200
        finally:
            server.stop()
    lines = [json.loads(line) for line in (tmp_path / "err").read_text().splitlines()]
    errors = [line for line in lines if line["level"] == "error"]
    assert [line["message"].partition(" (")[0] for line in errors] == [
        f"GET {path}" for path in paths if path != "/readyz"
    ]
    for line in errors:
        assert line["message"].endswith(f": {BEHIND}")
        assert "Traceback" in line["exception"]


def of_nowhere(execute, sql, params, many, context):
    """Has products looked up in a table that is not there."""
    if "products_" in sql:
        sql, params = "SELECT price FROM nowhere", ()
    return execute(sql, params, many, context)


def test_statement_that_is_wrong_is_our_mistake_on_a_database_with_all_migrations(api):
    api.raise_request_exception = False
    with connection.execute_wrapper(of_nowhere):
        answer = api.get("/api/products/?search=none-such")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")


def test_database_that_lost_migrations_under_a_ready_server_is_seen(api):
    """As after a restore of an old backup: once a statement fails, they are looked up again."""
    recorder = MigrationRecorder(connection)
    assert api.get("/readyz").status_code == 200
    recorder.record_unapplied("orders", LAST)
    assert api.get("/readyz").status_code == 200
    with connection.execute_wrapper(of_nowhere):
        answer = api.get("/api/products/?search=none-such")
    assert (answer.status_code, answer.json()["detail"]) == (503, BEHIND)
    assert api.get("/readyz").status_code == 503
    recorder.record_applied("orders", LAST)
    assert api.get("/readyz").status_code == 200


COMMANDS = [
    ("verify_stock",),
    ("load_demo",),
    ("seed_shop", "--products", "5"),
    ("drf_create_token", "alice"),
    ("createsuperuser", "--noinput", "--username", "alice", "--email", "alice@example.com"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=[name for name, *_ in COMMANDS])
def test_command_without_its_database_is_told_what_to_do(command, fresh):
    away = python("manage.py", *command, DATABASE_URL="postgres://u:hush@127.0.0.1:1/shop")
    assert away.returncode == 1
    assert away.stderr.startswith("CommandError: The database is out of reach. (connection failed:")
    assert away.stderr.endswith(" Start it, or correct DATABASE_URL.\n")
    assert "hush" not in away.stderr
    if command[0] != "restore":
        behind = python("manage.py", *command, DATABASE_URL=database_url(fresh))
        assert behind.returncode == 1
        assert behind.stderr.endswith(f"CommandError: {BEHIND} Run `manage.py migrate`.\n")
        assert "Traceback" not in behind.stderr


def test_traceback_is_there_for_who_asks_for_it(fresh):
    outcome = python("manage.py", "verify_stock", "--traceback", DATABASE_URL=database_url(fresh))
    assert "Traceback" in outcome.stderr


def test_migration_that_fails_is_told_whole(fresh, migrate):
    migrate("contenttypes", "zero")  # makes the table of migrations
    code = (
        "import django; django.setup(); from django.db import connection; "
        "connection.cursor().execute('CREATE TABLE django_content_type (id integer)')"
    )
    url = database_url(fresh)
    python("-c", code, DATABASE_URL=url, DJANGO_SETTINGS_MODULE="shopply.settings")
    outcome = python("manage.py", "migrate", DATABASE_URL=url)
    assert outcome.returncode == 1
    assert "django_content_type" in outcome.stderr.splitlines()[-1]
    assert BEHIND not in outcome.stderr
