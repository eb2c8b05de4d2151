"""The accounts of staff in the admin: their list, and the form that adds one."""

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.admin import UserAdmin
from django.db.models import ManyToManyField
from django.shortcuts import redirect
from django.urls import reverse

from customers.admin_email import EmailAdminMixin
from customers.forms import StaffCreateForm
from customers.models import Customer, Staff


@admin.display(description="name", ordering="last_name")
def full_name(customer):
    return customer.get_full_name()


class StaffList(ChangeList):
    def url_for_result(self, staff):
        return reverse("admin:customers_customer_change", args=[staff.pk])


@admin.register(Staff)
class StaffAdmin(EmailAdminMixin, UserAdmin):
    """The list of staff, where superusers add one. The page of an account is the customer's."""

    add_form = StaffCreateForm
    add_form_template = "admin/customers/staff/add_form.html"
    add_fieldsets = (
        (None, {"fields": ("username", "first_name", "last_name", "email", "groups")}),
        ("Password", {"fields": ("password1", "password2")}),
    )
    formfield_overrides = {ManyToManyField: {"widget": forms.CheckboxSelectMultiple}}
    filter_horizontal = ()
    list_display = ("username", full_name, "email", "is_superuser", "is_active", "last_login")
    list_filter = ("is_superuser", "is_active", "groups")
    search_fields = ("username", "first_name", "last_name", "email")
    search_help_text = "User name, name or e-mail"
    ordering = ("username",)
    list_per_page = 50

    def get_urls(self):
        return admin.ModelAdmin.get_urls(self)  # the others are the customer's

    def get_queryset(self, request):
        return super().get_queryset(request).filter(is_staff=True)

    def get_changelist(self, request, **kwargs):
        return StaffList

    def change_view(self, request, object_id, form_url="", extra_context=None):
        return redirect("admin:customers_customer_change", object_id)

    def history_view(self, request, object_id, extra_context=None):
        return redirect("admin:customers_customer_history", object_id)

    def has_view_permission(self, request, obj=None):
        return self.admin_site.get_model_admin(Customer).has_view_permission(request, obj)

    def has_change_permission(self, request, obj=None):
        return self.admin_site.get_model_admin(Customer).has_change_permission(request, obj)

    def has_add_permission(self, request):
        return request.user.is_superuser

    def has_delete_permission(self, request, obj=None):
        return False

    def log_addition(self, request, staff, message):
        """Log it in the history of the account's page."""
        account = Customer(pk=staff.pk, username=staff.username)
        return super().log_addition(request, account, message)
