import select
import sqlite3
import time

from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin import apps
from django.core.cache import close_caches
from django.core.handlers.base import reset_urlconf
from django.core.signals import request_finished, request_started
from django.db import (
    DEFAULT_DB_ALIAS,
    NotSupportedError,
    OperationalError,
    close_old_connections,
    connections,
    reset_queries,
)
from django.db.backends.signals import connection_created
from rest_framework.serializers import CharField


class ShopplyConfig(AppConfig):
    name = "shopply"

    def ready(self):
        from shopply import checks  # noqa: F401  they register themselves

        CharField.to_internal_value = strict(CharField.to_internal_value)
        see_to_connections_once()
        connection_created.connect(wrap_statements)
        if settings.SENTRY_DSN:
            from shopply import sentry  # not before: to load it takes a tenth of a second

            sentry.start()


def see_to_connections_once():
    """At the start of a request, and not at its end too: a tenth of the time of a kept page.

    Nor has a cache of ours anything to close, and there is one URL configuration.
    """
    request_started.connect(drop_dead_connection)
    request_finished.disconnect(close_old_connections)
    request_finished.disconnect(close_caches)
    request_finished.disconnect(reset_urlconf)
    if not settings.DEBUG:  # else queries are logged, and begin anew with each request
        request_started.disconnect(reset_queries)


def drop_dead_connection(**kwargs):
    """Have the request connect anew where PostgreSQL was stopped or restarted.

    CONN_HEALTH_CHECKS would ask it, which costs a fifth of looking up a product. A connection that
    the other side closed has something to be read, though nothing was asked; one look tells.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    link = connection.connection
    if connection.vendor == "postgresql" and link:
        poll = select.poll()
        if not link.closed:
            poll.register(link.fileno(), select.POLLIN)
        if link.closed or poll.poll(0):
            connection.close()


def wrap_statements(connection, **kwargs):
    wrapper = {"sqlite": take_a_turn, "postgresql": drop_plans}[connection.vendor]
    if wrapper not in connection.execute_wrappers:
        connection.execute_wrappers.append(wrapper)


def take_a_turn(execute, sql, params, many, context):
    """Begin a transaction of SQLite as soon as the one before it ends.

    By itself SQLite looks for that after 1, 2, 5 and up to 100 ms, and whoever comes just then goes
    first: with two processes that write, one order in a hundred waited four times as long.
    """
    if not sql.startswith("BEGIN"):
        return execute(sql, params, many, context)
    link = context["connection"].connection
    (patience,) = link.execute("PRAGMA busy_timeout").fetchone()  # in ms
    deadline = time.monotonic() + patience / 1000
    link.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                return execute(sql, params, many, context)
            except OperationalError as error:
                busy = error.__cause__.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() >= deadline:
                    raise
            time.sleep(0.0005)
    finally:
        link.execute(f"PRAGMA busy_timeout = {patience}")


def drop_plans(execute, sql, params, many, context):
    """Prepare no more on a connection whose statements a migration, of a column's type, broke.

    PostgreSQL refuses each of them for as long as the connection lives. A transaction is undone by
    that, and may be tried again.
    """
    try:
        return execute(sql, params, many, context)
    except NotSupportedError as error:
        link = context["connection"].connection
        if link.prepare_threshold is None:
            raise
        link.prepare_threshold = None
        if context["connection"].in_atomic_block:
            raise OperationalError(*error.args) from error.__cause__
        return execute(sql, params, many, context)


def strict(to_internal_value):
    """What DRF's own field is not, in any serializer: it takes 1e2 for the city `100.0`.

    A text is measured before it is stripped, since that is what the OpenAPI document bounds.
    """

    def only_of_a_string(field, data):
        if not isinstance(data, str):
            field.fail("invalid")
        if field.max_length is not None and len(data) > field.max_length:
            field.fail("max_length", max_length=field.max_length)
        return to_internal_value(field, data)

    return only_of_a_string


class Admin(apps.AdminConfig):
    """Django's admin, with a site of our own."""

    default = False  # else `shopply` itself would be taken for it
    default_site = "shopply.admin.Site"
