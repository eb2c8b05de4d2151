from django.apps import AppConfig
from django.contrib.admin import apps
from rest_framework.serializers import CharField


class ShopplyConfig(AppConfig):
    name = "shopply"

    def ready(self):
        CharField.to_internal_value = strict(CharField.to_internal_value)


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
