"""Permissions as the admin offers them: those that mean something, in the words of staff."""

from django import forms
from django.apps import apps
from django.contrib.auth import get_permission_codename
from django.contrib.auth.models import Permission
from django.db.models import Q


def permission_labels(admin_site):
    """Return `{(app label, codename): label}`, from the `permission_labels` of each ModelAdmin.

    There, the keys are the actions of Django's permissions: `{"view": "see them"}`.
    """
    admins = map(admin_site.get_model_admin, filter(admin_site.is_registered, apps.get_models()))
    return {
        (admin.opts.app_label, get_permission_codename(action, admin.opts)): (
            f"{str(admin.opts.verbose_name_plural).capitalize()}: {label}"
        )
        for admin in admins
        for action, label in getattr(admin, "permission_labels", {}).items()
    }


class PermissionField(forms.ModelMultipleChoiceField):
    labels = {}

    def offer(self, current):
        """Offer the permissions with a label, and the current ones, so that none gets lost."""
        condition = Q(pk__in=current)
        for app_label, codename in self.labels:
            condition |= Q(content_type__app_label=app_label, codename=codename)
        permissions = Permission.objects.filter(condition).select_related("content_type")
        # Of each model, to view comes first, and to add last.
        order = ("content_type__app_label", "content_type__model", "-codename")
        self.queryset = permissions.order_by(*order)

    def label_from_instance(self, permission):
        key = permission.content_type.app_label, permission.codename
        return self.labels.get(key) or f"{permission} (no page asks for it)"


class PermissionFormMixin:
    """Mixed into the forms of accounts and groups."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if isinstance(field, PermissionField):
                field.offer(getattr(self.instance, name).all() if self.instance.pk else [])


class PermissionAdminMixin:
    """Mixed into the admin of accounts and groups, whose `form` has the PermissionFormMixin."""

    filter_horizontal = ()

    def formfield_for_manytomany(self, db_field, request, **kwargs):
        kwargs["widget"] = forms.CheckboxSelectMultiple
        if db_field.remote_field.model is not Permission:
            return super().formfield_for_manytomany(db_field, request, **kwargs)
        kwargs["form_class"] = PermissionField
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        field.labels = permission_labels(self.admin_site)
        return field
