"""Tokens in the admin."""

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import localize
from django.utils.html import format_html
from rest_framework.authtoken.admin import TokenAdmin
from rest_framework.authtoken.models import TokenProxy

from customers.models import Customer
from customers.tokens import AccessToken
from shopply.api.permissions import may_view

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
    permission_labels = {"view": "see who has one", "delete": "revoke them"}

    def get_list_display(self, request):
        is_shown = may_view(self, request, Customer)
        return [column for column in self.list_display if column != "email" or is_shown]

    def get_fields(self, request, obj=None):
        return ("user", "created", "expires") if obj else ("user",)

    def has_add_permission(self, request):
        """For superusers only: a token gives access to the whole account."""
        return request.user.is_superuser

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        if obj and obj.user.outranks(request.user):
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

    @admin.display(description="e-mail address", ordering="user__email")
    def email(self, token):
        return token.user.email

    @admin.display
    def expires(self, token):
        return localize(timezone.localtime(token.expires)) if token.expires else "never"
