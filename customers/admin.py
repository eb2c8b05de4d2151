from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from rest_framework.authtoken.admin import TokenAdmin
from rest_framework.authtoken.models import TokenProxy

from customers.models import EMAIL_TAKEN, USERNAME_TAKEN, Customer
from customers.privacy import export_response
from customers.resources import CustomerResource
from customers.tokens import AccessToken
from shopply.api.sheet_admin import SheetExportMixin
from shopply.api.slots import Busy


def outranks(request, customer):
    """Return whether only a superuser can change this account: staff cannot change each other's."""
    if request.user.is_superuser or customer == request.user:
        return False
    return customer.is_staff or customer.is_superuser


class UniqueLoginMixin:
    """Rejects a new user name or e-mail address with which another customer logs in."""

    def clean(self):
        cleaned = super().clean()
        for field, message in (("username", USERNAME_TAKEN), ("email", EMAIL_TAKEN)):
            login = self.cleaned_data.get(field)
            if login and login != self.initial.get(field):
                others = Customer.objects.with_login(login).exclude(pk=self.instance.pk)
                if others.exists():
                    self.add_error(field, message)
        return cleaned


class CustomerCreateForm(UniqueLoginMixin, AdminUserCreationForm):
    pass


class CustomerForm(UniqueLoginMixin, UserChangeForm):
    def clean(self):
        """Keep the last superuser: without one, nobody could run the shop."""
        cleaned = super().clean()
        stays = cleaned.get("is_superuser") and cleaned.get("is_active")
        can_change = {"is_superuser", "is_active"} & self.fields.keys()
        if can_change and not stays and self.instance.is_last_superuser():
            raise ValidationError(
                "This is the last superuser: make another account a superuser first."
            )
        return cleaned


@admin.register(Customer)
class CustomerAdmin(SheetExportMixin, UserAdmin):
    resource_classes = [CustomerResource]
    form = CustomerForm
    add_form = CustomerCreateForm
    list_display = ("username", "full_name", "email", "city", "country", "is_staff", "joined")
    list_filter = ("is_staff", "is_active", "country")
    search_fields = ("username", "first_name", "last_name", "email", "city", "contact_number")
    search_help_text = "User name, name, e-mail, city or contact number"
    date_hierarchy = "date_joined"
    ordering = ("-date_joined",)
    list_per_page = 50
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email", "contact_number")}),
        (
            "Address",
            {"fields": ("street_1", "street_2", "city", "state", "postal_code", "country")},
        ),
        (
            "Permissions",
            {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")},
        ),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "email", "usable_password", "password1", "password2")}),
    )
    readonly_fields = ("last_login", "date_joined")

    @admin.display(description="name", ordering="last_name")
    def full_name(self, customer):
        return customer.get_full_name()

    @admin.display(ordering="date_joined")
    def joined(self, customer):
        return date_format(customer.date_joined)

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
        if obj and (obj.closed or outranks(request, obj)):
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request, obj=None):
        """Accounts are closed instead, since orders refer to them."""
        return False

    def get_object(self, request, object_id, from_field=None):
        """Lock the row of a form that is saved, so that it does not undo a closing."""
        customer = super().get_object(request, object_id, from_field)
        if customer and request.method == "POST" and transaction.get_connection().in_atomic_block:
            return Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
        return customer

    def user_change_password(self, request, id, form_url=""):
        with transaction.atomic():
            return super().user_change_password(request, id, form_url)

    def get_urls(self):
        return [
            path(
                f"<int:pk>/{name}/",
                self.admin_site.admin_view(view),
                name=f"customers_customer_{name}",
            )
            for name, view in (("export", self.export), ("close", self.close))
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
class SuperusersGroupAdmin(GroupAdmin):
    """For superusers only: others could give themselves any permission by a group."""

    def has_add_permission(self, request):
        return request.user.is_superuser

    def has_change_permission(self, request, obj=None):
        return request.user.is_superuser

    def has_delete_permission(self, request, obj=None):
        return request.user.is_superuser


admin.site.unregister(TokenProxy)


class TokenForm(forms.ModelForm):
    def clean_user(self):
        # Under the lock that `issue` takes, so that the token shown is the one created here.
        customers = Customer.objects.select_for_update(no_key=True)
        customer = customers.get(pk=self.cleaned_data["user"].pk)
        if not customer.is_active:
            raise ValidationError("This account is closed, or not active.")
        token = AccessToken.objects.filter(user=customer).first()
        if token and not token.expired:
            message = (
                "{} has a token, which cannot be shown again. If it is lost,"
                ' <a href="{}">revoke it</a> and create another one.'
            )
            revoke = reverse("admin:customers_accesstoken_delete", args=[customer.pk])
            raise ValidationError(format_html(message, customer, revoke))
        return customer

    def validate_unique(self):
        """Allow a second token: it replaces one that expired."""


@admin.register(AccessToken)
class CustomerTokenAdmin(TokenAdmin):
    """Tokens by owner. A key is shown once, to the superuser who creates it.

    The key is also the primary key, which Django's pages show in links and pop-ups; hence the
    overrides below.
    """

    form = TokenForm
    list_display = ("customer", "email", "created", "expires")
    list_display_links = None
    list_filter = ("created",)
    list_select_related = ("user",)
    search_fields = ("user__username", "user__email")
    search_help_text = "User name or e-mail"
    date_hierarchy = "created"
    ordering = ("-created",)
    autocomplete_fields = ("user",)

    def get_fields(self, request, obj=None):
        return ("user", "created", "expires") if obj else ("user",)

    def has_add_permission(self, request):
        """For superusers only: a token gives access to the whole account."""
        return request.user.is_superuser

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        if obj and outranks(request, obj.user):
            return False
        return super().has_delete_permission(request, obj)

    def save_model(self, request, token, form, change):
        token.key = AccessToken.issue(token.user).key

    def response_add(self, request, token, post_url_continue=None):
        message = "{}: <code>{}</code> Copy it now: it is not shown again."
        self.message_user(request, format_html(message, token, token.key), messages.SUCCESS)
        return redirect("admin:customers_accesstoken_changelist")

    def delete_view(self, request, object_id, extra_context=None):
        return super().delete_view(request, object_id, {"title": "Revoke the token"})

    def response_delete(self, request, obj_display, obj_id):
        self.message_user(request, f"{obj_display}: revoked.", messages.SUCCESS)
        return redirect("admin:customers_accesstoken_changelist")

    @admin.display(ordering="user__username")
    def customer(self, token):
        url = reverse("admin:customers_accesstoken_change", args=[token.pk])
        return format_html('<a href="{}">{}</a>', url, token.user)

    @admin.display(ordering="user__email")
    def email(self, token):
        return token.user.email

    @admin.display
    def expires(self, token):
        return date_format(token.expires, "DATETIME_FORMAT") if token.expires else "never"
