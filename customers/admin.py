from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.formats import date_format

from customers import admin_staff, admin_tokens  # noqa: F401  they register themselves
from customers.admin_email import EmailAdminMixin
from customers.admin_search import CustomerSearchMixin
from customers.forms import CustomerCreateForm, CustomerForm, GroupForm
from customers.models import Customer
from customers.permission_picker import PermissionAdminMixin
from customers.privacy import export_response
from customers.resources import CustomerResource
from customers.tasks import mail_password_links
from shopply.api.sheet_admin import SheetExportMixin
from shopply.api.slots import Busy


class CustomerList(ChangeList):
    """Staff have a list of their own. Their pages, and choices of customers, are these."""

    def get_queryset(self, request, exclude_parameters=None):
        return super().get_queryset(request, exclude_parameters).filter(is_staff=False)


class CountryFilter(admin.AllValuesFieldListFilter):
    """Django's, whose link to customers without a country would have no text."""

    def choices(self, changelist):
        for choice in super().choices(changelist):
            yield choice | {"display": choice["display"] or "Without"}


@admin.register(Customer)
class CustomerAdmin(
    SheetExportMixin, CustomerSearchMixin, PermissionAdminMixin, EmailAdminMixin, UserAdmin
):
    resource_classes = [CustomerResource]
    form = CustomerForm
    add_form = CustomerCreateForm
    list_display = ("username", admin_staff.full_name, "email", "city", "country", "joined")
    list_filter = ("is_active", ("country", CountryFilter))
    date_hierarchy = "date_joined"
    ordering = ("-date_joined",)
    list_per_page = 50
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "contact_number")}),
        ("E-mail", {"fields": ("email", "email_confirmed", "new_email", "order_mails")}),
        (
            "Address",
            {"fields": ("street_1", "street_2", "city", "state", "postal_code", "country")},
        ),
        ("Note", {"fields": ("staff_note",)}),
        (
            "Permissions",
            {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")},
        ),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "email", "usable_password", "password1", "password2")}),
    )
    readonly_fields = ("new_email", "last_login", "date_joined")
    permission_labels = {
        "view": "see them, with address",
        "add": "add them, if they may be changed too",
        "change": "change, export and close their accounts",
    }

    @admin.display(ordering="date_joined")
    def joined(self, customer):
        return date_format(timezone.localtime(customer.date_joined))

    def get_changelist(self, request, **kwargs):
        return CustomerList

    def response_post_save_change(self, request, obj):
        if obj.is_staff:
            return redirect("admin:customers_staff_changelist")
        return super().response_post_save_change(request, obj)

    def get_fieldsets(self, request, obj=None):
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        # Without the password, whose field has a button to change it.
        dates = ("Dates", {"fields": ("last_login", "date_joined", "closed")})
        return ((None, {"fields": ("username",)}), *fieldsets[1:-1], dates)

    def get_readonly_fields(self, request, obj=None):
        """Only superusers change privilege_fields: staff could give themselves any."""
        privilege_fields = ("is_staff", "is_superuser", "groups", "user_permissions")
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else (*fields, *privilege_fields)

    def has_change_permission(self, request, obj=None):
        if obj and (obj.closed or obj.outranks(request.user)):
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request, obj=None):
        """Accounts are closed instead, since orders refer to them."""
        return False

    def user_change_password(self, request, id, form_url=""):
        with transaction.atomic():
            return super().user_change_password(request, id, form_url)

    def construct_change_message(self, request, form, formsets, add=False):
        """Log that a password was disabled, too, which Django takes for no change."""
        if isinstance(form, self.change_password_form):
            return [{"changed": {"fields": ["password"]}}]
        return super().construct_change_message(request, form, formsets, add)

    def get_urls(self):
        return [
            path(
                f"<int:pk>/{name}/",
                self.admin_site.admin_view(view),
                name=f"customers_customer_{name}",
            )
            for name, view in (
                ("export", self.export),
                ("password_link", self.password_link),
                ("close", self.close),
            )
        ] + super().get_urls()

    def get_changeable(self, request, pk):
        customer = self.get_object(request, pk)
        if not self.has_change_permission(request, customer):
            raise PermissionDenied
        if customer is None:
            raise Http404
        return customer

    def export(self, request, pk):
        """Respond with the customer's data, as `GET /api/customers/me/export/` does."""
        customer = self.get_changeable(request, pk)
        try:
            return export_response(customer)
        except Busy as exc:
            self.message_user(request, str(exc), messages.ERROR)
            return redirect("admin:customers_customer_change", pk)

    @transaction.atomic
    def password_link(self, request, pk):
        """Ask whether to mail a link to set a new password (GET), or have it mailed (POST)."""
        customer = self.get_changeable(request, pk)
        can_send = bool(customer.is_active and customer.email)
        if request.method == "POST" and can_send:
            mail_password_links.enqueue([customer.pk])
            self.log_change(request, customer, "Sent a link to set a new password.")
            self.message_user(request, "The link is on its way.")
            return redirect("admin:customers_customer_change", pk)
        context = {
            **self.admin_site.each_context(request),
            "title": "Send a link to set a new password",
            "customer": customer,
            "can_send": can_send,
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/customers/customer/password_link.html", context)

    @transaction.atomic
    def close(self, request, pk):
        """Ask whether to close an account (GET), or close it (POST)."""
        # Locked first: the last two superusers may be closing each other's account.
        superusers = Customer.objects.active_superusers()
        if request.method == "POST":
            superusers = superusers.select_for_update(no_key=True)
        superusers = list(superusers)
        customer = self.get_changeable(request, pk)
        is_last = superusers == [customer]
        if request.method == "POST" and not is_last:
            customer.close()
            self.log_change(request, customer, "Closed and erased.")
            self.message_user(request, f"The account is closed. Its name is “{customer}” now.")
            return redirect("admin:customers_customer_change", pk)
        context = {
            **self.admin_site.each_context(request),
            "title": "Close the account",
            "customer": customer,
            "is_last": is_last,
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/customers/customer/close.html", context)


admin.site.unregister(Group)


@admin.register(Group)
class SuperusersGroupAdmin(PermissionAdminMixin, GroupAdmin):
    """For superusers only: others could give themselves any permission by a group."""

    form = GroupForm
    permission_labels = {"view": "see which permissions they have"}

    def has_add_permission(self, request):
        return request.user.is_superuser

    def has_change_permission(self, request, obj=None):
        return request.user.is_superuser

    def has_delete_permission(self, request, obj=None):
        return request.user.is_superuser
