"""How the shop and its commands respond if the database lacks migrations or is unavailable."""

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
    """Run `manage.py migrate` with these arguments on the fresh database."""

    def migrate(*arguments):
        result = python("manage.py", "migrate", *arguments, DATABASE_URL=database_url(fresh))
        assert result.returncode == 0, result.stderr

    return migrate


@pytest.mark.parametrize("missing", ["all", "the last"])
def test_database_behind_on_migrations_is_a_503_that_says_so(fresh, migrate, tmp_path, missing):
    paths, headers = ["/api/products/", "/readyz"], {}
    if missing == "all":
        paths += ["/api/products/7/", "/api/orders/"]
        headers = {"Authorization": "Token abc"}
    else:
        migrate()
        migrate("products", "0003")
    with (tmp_path / "err").open("wb") as err:
        server = Server(workers=1, log=err, DATABASE_URL=database_url(fresh)).start()
        try:
            for path in paths:
                response = server.client().call("GET", path, **headers)
                problem = response.body["code"], response.body["title"], response.body["detail"]
                assert response.status == 503, path
                assert problem == ("service_unavailable", "Unavailable", BEHIND)
                assert response.headers["Retry-After"] == "1"
            if missing == "all":
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


def query_missing_table(execute, sql, params, many, context):
    """Make queries of products use a table that does not exist."""
    if "products_" in sql:
        sql, params = "SELECT price FROM nowhere", ()
    return execute(sql, params, many, context)


def test_invalid_statement_is_an_internal_error_if_no_migration_is_missing(api):
    api.raise_request_exception = False
    with connection.execute_wrapper(query_missing_table):
        response = api.get("/api/products/?search=none-such")
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")


def test_ready_server_notices_that_migrations_are_missing(api):
    """For example after restoring an old backup: a failing statement has them checked again."""
    recorder = MigrationRecorder(connection)
    assert api.get("/readyz").status_code == 200
    recorder.record_unapplied("orders", LAST)
    assert api.get("/readyz").status_code == 200
    with connection.execute_wrapper(query_missing_table):
        response = api.get("/api/products/?search=none-such")
    assert (response.status_code, response.json()["detail"]) == (503, BEHIND)
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
def test_command_without_its_database_says_what_to_do(command, fresh):
    away = python("manage.py", *command, DATABASE_URL="postgres://u:hush@127.0.0.1:1/shop")
    assert away.returncode == 1
    assert away.stderr.startswith("CommandError: The database is out of reach. (connection failed:")
    assert away.stderr.endswith(" Start it, or correct DATABASE_URL.\n")
    assert "hush" not in away.stderr
    behind = python("manage.py", *command, DATABASE_URL=database_url(fresh))
    assert behind.returncode == 1
    assert behind.stderr.endswith(f"CommandError: {BEHIND} Run `manage.py migrate`.\n")
    assert "Traceback" not in behind.stderr


def test_traceback_is_shown_on_request(fresh):
    result = python("manage.py", "verify_stock", "--traceback", DATABASE_URL=database_url(fresh))
    assert "Traceback" in result.stderr


def test_failing_migration_shows_its_error(fresh, migrate):
    migrate("contenttypes", "zero")  # creates the table of migrations
    code = (
        "import django; django.setup(); from django.db import connection; "
        "connection.cursor().execute('CREATE TABLE django_content_type (id integer)')"
    )
    url = database_url(fresh)
    python("-c", code, DATABASE_URL=url, DJANGO_SETTINGS_MODULE="shopply.settings")
    result = python("manage.py", "migrate", DATABASE_URL=url)
    assert result.returncode == 1
    assert "django_content_type" in result.stderr.splitlines()[-1]
    assert BEHIND not in result.stderr
