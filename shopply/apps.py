import select

from django.apps import AppConfig
from django.contrib.admin import apps
from django.core.signals import request_started
from django.db import connections
from rest_framework.serializers import CharField


class ShopplyConfig(AppConfig):
    name = "shopply"

    def ready(self):
        CharField.to_internal_value = strict(CharField.to_internal_value)
        request_started.connect(drop_dead_connections)


def drop_dead_connections(**kwargs):
    """Have the request connect anew where PostgreSQL was stopped or restarted.

    CONN_HEALTH_CHECKS would ask it, which costs a fifth of looking up a product. A connection that
    the other side closed has something to be read, though nothing was asked; one look tells.
    """
    for connection in connections.all(initialized_only=True):
        link = connection.connection
        if connection.vendor == "postgresql" and link:
            poll = select.poll()
            if not link.closed:
                poll.register(link.fileno(), select.POLLIN)
            if link.closed or poll.poll(0):
                connection.close()


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
