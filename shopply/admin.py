"""The admin's site: what all its pages share, whichever app they belong to."""

from functools import update_wrapper

from django.contrib import messages
from django.contrib.admin import AdminSite, ModelAdmin, action
from django.contrib.admin.actions import delete_selected
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import DataError
from django.template.response import SimpleTemplateResponse

from customers.admin_login import LimitedLoginMixin

MAX_DELETED = 200


class Autocomplete(AutocompleteJsonView):
    def process_request(self, request):
        term, model_admin, field, to_field = super().process_request(request)
        if not field.concrete:  # a relation seen from its other end: no form has it
            raise PermissionDenied
        return term, model_admin, field, to_field


class HardenedModelAdminMixin:
    """Mixed into the admin of every model."""

    show_full_result_count = False  # beside what was found: it takes as long to count as the rest
    LOOKUPS = {"", "exact", "isnull", "gte", "lt", "year", "month", "day"}

    def lookup_allowed(self, lookup, value, request=None):
        """Filters a list by what its page offers only: others could spell out a secret."""
        name, _, kind = lookup.partition("__")
        offered = (getattr(each, "parameter_name", each) for each in self.list_filter)
        return name in {self.date_hierarchy, *offered} and kind in self.LOOKUPS

    def to_field_allowed(self, request, to_field):
        """Django fails on relations seen from their other end."""
        columns = {field.name for field in self.opts.concrete_fields}
        return to_field in columns and super().to_field_allowed(request, to_field)

    def get_object(self, request, object_id, from_field=None):
        """Django fails on a `_to_field` that is there and empty."""
        return super().get_object(request, object_id, from_field or None)

    def get_search_results(self, request, queryset, search_term):
        if len(search_term) > 200:  # SQLite takes no 1,000 words, nor one of 50,000 characters
            raise BadRequest("Search for at most 200 characters.")
        return super().get_search_results(request, queryset, search_term)


@action(permissions=["delete"], description=delete_selected.short_description)
def delete_some(modeladmin, request, queryset):
    """Django's, of so many that a request does not keep its thread from others for long."""
    if len(queryset.values_list("pk")[: MAX_DELETED + 1]) > MAX_DELETED:
        messages.error(request, f"Delete at most {MAX_DELETED} at once.")
        return None
    return delete_selected(modeladmin, request, queryset)


class ShopAdminSite(LimitedLoginMixin, AdminSite):
    site_header = site_title = "shopply"
    index_title = "The shop"

    def __init__(self, name="admin"):
        super().__init__(name)
        self.add_action(delete_some, "delete_selected")

    def register(self, model_or_iterable, admin_class=None, **options):
        admin_class = admin_class or ModelAdmin
        guarded = type(admin_class.__name__, (HardenedModelAdminMixin, admin_class), {})
        super().register(model_or_iterable, guarded, **options)

    def admin_view(self, view, cacheable=False):
        """Have values that no page of the admin sends answered by 400: Django looks at few first.

        The log tells where they failed.
        """

        def guarded(request, *args, **kwargs):
            try:
                response = view(request, *args, **kwargs)
                if isinstance(response, SimpleTemplateResponse):
                    response.render()  # which looks at some of them
            except (ValueError, OverflowError, DataError) as exc:
                raise BadRequest("A value of the address or the form cannot be used.") from exc
            return response

        return super().admin_view(update_wrapper(guarded, view), cacheable)

    def autocomplete_view(self, request):
        return Autocomplete.as_view(admin_site=self)(request)
