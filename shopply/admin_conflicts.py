"""Forms of the admin write only what their user changed, and undo nobody else's change.

A form carries, signed, the values that it showed. When it is saved, under the lock of its row, a
field that the user left alone keeps the value that the row has by now. A field that the user
changed, and that somebody else changed to another value meanwhile, is a conflict: nothing is saved,
and the form comes back as a 409 that shows both values.
"""

import json
from dataclasses import dataclass
from functools import cached_property

from django import forms
from django.core import signing
from django.core.exceptions import BadRequest, ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.utils.text import Truncator, normalize_newlines

SHOWN = "_shown"  # the name of the hidden input
LOGGED_LENGTH = 100  # of an old or new value in the history


@dataclass(frozen=True)
class Conflict:
    """A field that two people changed; its values as texts."""

    label: str
    shown: str
    saved: str
    entered: str


def encode(field, value):
    """Return the value of a form field as JSON has it: a text, a bool, a list of ids, None."""
    if isinstance(field, forms.MultiValueField):
        value = field.widget.decompress(value)
    value = field.prepare_value(value)
    if isinstance(field, forms.ModelMultipleChoiceField):
        value = sorted(value or [])
    return json.loads(json.dumps(value, cls=DjangoJSONEncoder))


def describe(field, value):
    """Return an encoded or entered value as a text for people."""
    if value in (None, "", []):
        return "empty"
    if isinstance(value, bool):
        return "yes" if value else "no"
    values = value if isinstance(value, list) else [value]
    if isinstance(field, forms.ModelChoiceField):
        rows = field.queryset.model._base_manager  # also those that are not offered any more
        rows = rows.filter(**{f"{field.to_field_name or 'pk'}__in": values})
        values = map(field.label_from_instance, rows.select_related().order_by("pk"))
    elif isinstance(field, forms.ChoiceField):
        names = dict(field.choices)
        values = [names.get(item, item) for item in values]
    separator = " " if isinstance(field, forms.MultiValueField) else ", "
    return separator.join(map(str, values))


def normalize(value):
    """Browsers send other line breaks than they were sent."""
    return normalize_newlines(value) if isinstance(value, str) else value


class CurrentBoundField(forms.BoundField):
    """Shows the current value, in a form that was refused, if the user left the field alone."""

    def value(self):
        if self.name in self.form.untouched:
            return self.field.prepare_value(self.initial)
        return super().value()


class ConflictFormMixin:
    """Mixed into every form. `shown` is what the signed input of a sent form holds."""

    bound_field_class = CurrentBoundField
    shown = None
    untouched = frozenset()
    conflicts = ()

    @cached_property
    def current(self):
        """The values of the row, encoded: `{field name: value}`."""
        return {
            name: encode(field, self.get_initial_for_field(field, name))
            for name, field in self.fields.items()
            if not field.disabled
        }

    def full_clean(self):
        if not self.is_bound or self.instance._state.adding:
            super().full_clean()
            return
        conflicting = self.compare()
        # Django then validates the current value of these fields, not what was sent.
        for name in self.untouched:
            self.fields[name].disabled = True
        super().full_clean()
        for name in self.untouched:
            self.fields[name].disabled = False
        for name in conflicting:
            self.add_error(name, "Somebody else changed this meanwhile.")

    def clean(self):
        """Drop what the user left alone, so that it is not written: a widget may have cut it."""
        super().clean()
        for name in self.untouched:
            self.cleaned_data.pop(name, None)
        return self.cleaned_data

    def compare(self):
        """Set `untouched` and `conflicts`; return the names of the conflicting fields."""
        pk, shown = self.shown.get(str(self.prefix), (None, {}))
        if pk != str(self.instance.pk):
            raise BadRequest("The form is incomplete: reload it.")
        touched = [
            name
            for name in self.current
            if name in shown and self.is_entry_different(name, shown[name])
        ]
        self.untouched = frozenset(self.current) - set(touched)
        conflicting = [
            name
            for name in touched
            if self.current[name] != shown[name]
            and self.is_entry_different(name, self.current[name])
        ]
        self.conflicts = [self.describe_conflict(name, shown[name]) for name in conflicting]
        return conflicting

    def is_entry_different(self, name, value):
        """Return whether the user entered something else than this encoded value."""
        field = self.fields[name]
        if not isinstance(field, forms.ModelChoiceField):  # which compares ids
            try:
                value = field.to_python(value)
            except ValidationError:
                return True
        return field.has_changed(normalize(value), normalize(self[name].data))

    def describe_conflict(self, name, shown):
        field = self.fields[name]
        values = (shown, self.current[name], self[name].data)
        return Conflict(self[name].label, *(describe(field, value) for value in values))

    @property
    def changed_data(self):
        return [name for name in super().changed_data if name not in self.untouched]

    def describe_changes(self):
        """Return a text with the old and the new value for each changed field."""
        return [f"{self[name].label} ({self.describe_change(name)})" for name in self.changed_data]

    def describe_change(self, name):
        field, old = self.fields[name], self.current[name]
        new = encode(field, self.cleaned_data[name])

        def text(value):
            return Truncator(describe(field, value)).chars(LOGGED_LENGTH)

        if not isinstance(field, forms.ModelMultipleChoiceField):
            return f"{text(old)} → {text(new)}"
        added = [item for item in new if item not in old]
        removed = [item for item in old if item not in new]
        parts = {"added": added, "removed": removed}
        return "; ".join(f"{word}: {text(items)}" for word, items in parts.items() if items)


class ConflictAdminMixin:
    """Mixed into the admin of every model: its forms carry what they show (ConflictFormMixin)."""

    def get_object(self, request, object_id, from_field=None):
        """Lock the row of a form that is sent, until it is saved, and read it as it is by then."""
        instance = super().get_object(request, object_id, from_field)
        is_saved = request.method == "POST" and transaction.get_connection().in_atomic_block
        if is_saved and instance and self.has_change_permission(request, instance):
            rows = self.model._base_manager.select_for_update(no_key=True)
            instance.refresh_from_db(from_queryset=rows)
        return instance

    def get_shown(self, request, obj):
        """Return what the form showed that the user sends, or None if none is sent."""
        if obj is None or request.method != "POST":
            return None
        try:
            return signing.loads(request.POST.get(SHOWN, ""), salt=self.opts.label_lower)
        except signing.BadSignature:
            raise BadRequest("The form is incomplete: reload it.") from None

    def mix_in(self, form_class, shown):
        return type(form_class.__name__, (ConflictFormMixin, form_class), {"shown": shown})

    def get_form(self, request, obj=None, **kwargs):
        return self.mix_in(super().get_form(request, obj, **kwargs), self.get_shown(request, obj))

    def get_formsets_with_inlines(self, request, obj=None):
        for formset, inline in super().get_formsets_with_inlines(request, obj):
            formset.form = self.mix_in(formset.form, self.get_shown(request, obj))
            yield formset, inline

    def get_formset_kwargs(self, request, obj, inline, prefix):
        """Lock the rows that the user can change."""
        kwargs = super().get_formset_kwargs(request, obj, inline, prefix)
        if request.method == "POST" and inline.has_change_permission(request, obj):
            kwargs["queryset"] = kwargs["queryset"].select_for_update(no_key=True, of=("self",))
        return kwargs

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        if obj and self.has_change_permission(request, obj):
            formsets = (inline.formset for inline in context["inline_admin_formsets"])
            rows = [form for formset in formsets for form in formset.initial_forms]
            sent_forms = [context["adminform"].form, *rows]
            shown = {str(form.prefix): (str(form.instance.pk), form.current) for form in sent_forms}
            context["shown"] = signing.dumps(shown, salt=self.opts.label_lower, compress=True)
            context["conflicts"] = [item for form in sent_forms for item in form.conflicts]
        response = super().render_change_form(request, context, *args, obj=obj, **kwargs)
        if context.get("conflicts"):
            response.status_code = 409
        return response

    def construct_change_message(self, request, form, formsets, add=False):
        """Log old and new values."""
        message = super().construct_change_message(request, form, formsets, add)
        if not add and isinstance(form, ConflictFormMixin) and form.changed_data:
            message[0]["changed"]["fields"] = form.describe_changes()
        return message

    def log_change(self, request, obj, message):
        """Log no save that changed nothing."""
        return super().log_change(request, obj, message) if message else None
