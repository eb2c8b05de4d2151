from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from rest_framework.authtoken.admin import TokenAdmin
from rest_framework.authtoken.models import TokenProxy

from customers.models import Customer


@admin.register(Customer)
class CustomerAdmin(UserAdmin):
    list_display = ("username", "full_name", "email", "city", "country", "is_staff", "date_joined")
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
            "May do",
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

    def get_readonly_fields(self, request, obj=None):
        """Only a superuser hands out powers: else staff could give themselves any."""
        powers = ("is_staff", "is_superuser", "groups", "user_permissions")
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else (*fields, *powers)

    def has_change_permission(self, request, obj=None):
        return not self.is_above(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request, obj=None):
        return not self.is_above(request, obj) and super().has_delete_permission(request, obj)

    def is_above(self, request, obj):
        """Nor may staff set each other's passwords: only a superuser touches accounts of staff."""
        if obj is None or request.user.is_superuser or obj == request.user:
            return False
        return obj.is_staff or obj.is_superuser


admin.site.unregister(TokenProxy)


@admin.register(TokenProxy)
class CustomerTokenAdmin(TokenAdmin):
    """Whose tokens there are. The list shows no key: who holds one is that customer."""

    list_display = ("user", "email", "created")
    list_filter = ("created",)
    list_select_related = ("user",)
    search_fields = ("user__username", "user__email")
    search_help_text = "User name or e-mail"
    date_hierarchy = "created"
    ordering = ("-created",)
    autocomplete_fields = ("user",)

    def has_add_permission(self, request):
        """A token opens the whole account, whoever made it."""
        return request.user.is_superuser

    @admin.display(ordering="user__email")
    def email(self, token):
        return token.user.email
