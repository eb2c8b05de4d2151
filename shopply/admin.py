"""The admin site, and what the admin of every model shares."""

import logging
from functools import update_wrapper

from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite, ModelAdmin, action
from django.contrib.admin.actions import delete_selected
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.db import DataError
from django.template.response import SimpleTemplateResponse
from django.utils.text import capfirst

from customers.admin_login import LimitedLoginMixin
from shopply import dashboard
from shopply.admin_conflicts import ConflictAdminMixin
from shopply.api.fields import validate_line

MAX_DELETED = 200

logger = logging.getLogger("shopply.admin")


class Autocomplete(AutocompleteJsonView):
    def process_request(self, request):
        term, model_admin, field, to_field = super().process_request(request)
        if not field.concrete:  # a reverse relation, which no form has
            raise PermissionDenied
        return term, model_admin, field, to_field


class ValidateLinesMixin:
    """Mixed into every form: checks what is entered into a field of one line (`validate_line`).

    Only if it changed, so that a row of an earlier release can be saved.
    """

    def clean(self):
        cleaned_data = super().clean()
        for name, field in self.fields.items():
            text = self.cleaned_data.get(name)
            input_type = getattr(field.widget, "input_type", None)
            is_line = isinstance(text, str) and input_type in ("text", "email")
            if is_line and text != self.initial.get(name):
                try:
                    validate_line(text)
                except ValidationError as exc:
                    self.add_error(name, exc)
        return cleaned_data


class LabelInputsMixin:
    """Mixed into the formsets of inlines: a table has no labels, only headers of its columns."""

    def add_fields(self, form, index):
        super().add_fields(form, index)
        for name, field in form.fields.items():
            field.widget.attrs.setdefault("aria-label", capfirst(field.label or name))


def mix_in(form_class, *mixins):
    return type(form_class.__name__, (*mixins, form_class), {})


class HardenedModelAdminMixin(ConflictAdminMixin):
    """Mixed into the admin of every model: checks texts, and rejects what Django fails on."""

    show_full_result_count = False  # counting all rows takes as long as the rest of the page
    LOOKUPS = {"", "exact", "id__exact", "isnull", "gte", "lt", "year", "month", "day"}

    def lookup_allowed(self, lookup, value, request=None):
        """Allow only the filters that the page shows: others could reveal secrets bit by bit."""
        field, _, operator = lookup.partition("__")
        filters = (item[0] if isinstance(item, tuple) else item for item in self.list_filter)
        shown = (getattr(item, "parameter_name", item) for item in filters)
        return field in {self.date_hierarchy, *shown} and operator in self.LOOKUPS

    def to_field_allowed(self, request, to_field):
        """Reject reverse relations, on which Django fails."""
        columns = {field.name for field in self.opts.concrete_fields}
        return to_field in columns and super().to_field_allowed(request, to_field)

    def get_object(self, request, object_id, from_field=None):
        """Ignore an empty `_to_field`, on which Django fails."""
        return super().get_object(request, object_id, from_field or None)

    def get_form(self, request, obj=None, **kwargs):
        return mix_in(super().get_form(request, obj, **kwargs), ValidateLinesMixin)

    def get_formsets_with_inlines(self, request, obj=None):
        for formset, inline in super().get_formsets_with_inlines(request, obj):
            formset.form = mix_in(formset.form, ValidateLinesMixin)
            yield mix_in(formset, LabelInputsMixin), inline

    def get_search_results(self, request, queryset, search_term):
        if len(search_term) > 200:  # SQLite fails on 1,000 words, or one of 50,000 characters
            raise BadRequest("Search for at most 200 characters.")
        return super().get_search_results(request, queryset, search_term)


@action(permissions=["delete"], description=delete_selected.short_description)
def delete_some(modeladmin, request, queryset):
    """Django's, limited so that a request does not block its thread for long."""
    if len(queryset.values_list("pk")[: MAX_DELETED + 1]) > MAX_DELETED:
        messages.error(request, f"Delete at most {MAX_DELETED} at once.")
        return None
    return delete_selected(modeladmin, request, queryset)


class ShopAdminSite(LimitedLoginMixin, AdminSite):
    site_header = site_title = "shopply"
    index_title = "The shop"

    @property
    def site_url(self):
        """Where *View site* leads. Without a SHOP_URL, there is no such link."""
        return settings.SHOP_URL or None

    def __init__(self, name="admin"):
        super().__init__(name)
        self.add_action(delete_some, "delete_selected")

    def register(self, model_or_iterable, admin_class=None, **options):
        admin_class = admin_class or ModelAdmin
        guarded = type(admin_class.__name__, (HardenedModelAdminMixin, admin_class), {})
        super().register(model_or_iterable, guarded, **options)

    def admin_view(self, view, cacheable=False):
        """Respond 400 to values that no page of the admin sends, and that Django does not check.

        The log shows where they failed: it may be a mistake of ours.
        """

        def guarded(request, *args, **kwargs):
            try:
                response = view(request, *args, **kwargs)
                if isinstance(response, SimpleTemplateResponse):
                    response.render()  # which reads some of them
            except (ValueError, OverflowError, DataError) as exc:
                logger.warning("A page of the admin failed on a value.", exc_info=True)
                raise BadRequest("A value in the address or the form is invalid.") from exc
            return response

        return super().admin_view(update_wrapper(guarded, view), cacheable)

    def index(self, request, extra_context=None):
        extra_context = dashboard.get_context(request, self) | (extra_context or {})
        return super().index(request, extra_context)

    def autocomplete_view(self, request):
        return Autocomplete.as_view(admin_site=self)(request)
