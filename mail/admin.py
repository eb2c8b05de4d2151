from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html

from mail.models import OrderMail
from products.admin import ReadOnlyAdminMixin


class SentFilter(admin.SimpleListFilter):
    title = parameter_name = "sent"

    def lookups(self, request, model_admin):
        return [("yes", "Yes"), ("no", "No")]

    def queryset(self, request, mails):
        if self.value() in ("yes", "no"):
            return mails.filter(sent__isnull=self.value() == "no")
        return mails


@admin.register(OrderMail)
class OrderMailAdmin(ReadOnlyAdminMixin, admin.ModelAdmin):
    """For whoever may view orders."""

    fields = ("name", "order_link", "created", "sent")
    list_display = ("created", "name", "order_link", "sent")
    list_filter = ("name", SentFilter)
    list_select_related = ("order",)
    search_fields = ("order",)
    search_help_text = "The number of an order."
    list_per_page = 50

    def has_view_permission(self, request, obj=None):
        return request.user.has_perm("orders.view_order")

    def has_module_permission(self, request):
        return self.has_view_permission(request)

    def get_search_results(self, request, queryset, search_term):
        """Find the mails of an order by its index, where Django would compare texts."""
        number = search_term.strip().removeprefix("#")
        if number:
            is_id = number.isdecimal() and len(number) <= 18
            queryset = queryset.filter(order=number) if is_id else queryset.none()
        return queryset, False

    @admin.display(description="order", ordering="order")
    def order_link(self, mail):
        page = reverse("admin:orders_order_change", args=[mail.order_id])
        return format_html('<a href="{}">{}</a>', page, mail.order)
