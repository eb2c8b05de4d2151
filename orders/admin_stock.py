"""The time line of a product's stock, on a page of its own and on the product's page.

Here and not in products, because it lists orders.
"""

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core import signing
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404
from django.template.response import TemplateResponse
from django.urls import path

from orders.models import Order
from orders.stock_ledger import list_balances
from products.admin import ProductAdmin
from products.models import Product, Reason, StockAdjustment
from shopply.api.permissions import may_view

PAGE_SIZE = 50
LAST_MOVEMENTS = 5  # shown on the product's page
LABELS = {**dict(Reason.choices), "sale": "Sale", "cancelled": "Order cancelled"}

admin.site.unregister(Product)


@admin.register(Product)
class ProductStockAdmin(ProductAdmin):
    """Registered anew, which is Django's way to extend the admin of another app."""

    def get_urls(self):
        view = self.admin_site.admin_view(self.stock_view)
        return [path("<int:pk>/stock/", view, name="products_product_stock"), *super().get_urls()]

    def may_view_stock(self, request):
        return may_view(self, request, Product) and may_view(self, request, StockAdjustment)

    def stock_view(self, request, pk):
        if not self.may_view_stock(request):
            raise PermissionDenied
        product = self.get_object(request, str(pk))
        if product is None:
            raise Http404
        salt = f"stock of product {pk}"  # so that a link is of no use with another product
        try:
            start = request.GET.get("start") and signing.loads(request.GET["start"], salt=salt)
        except signing.BadSignature as exc:
            raise BadRequest("The address of this page is incomplete.") from exc
        movements, next_start = self.list_movements(request, product, PAGE_SIZE, start)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Stock of {product}",
            "opts": self.opts,
            "original": product,
            "movements": movements,
            "is_newest": not start,
            "next_start": next_start and signing.dumps(next_start, salt=salt),
        }
        return TemplateResponse(request, "admin/products/product/stock.html", context)

    def render_change_form(self, request, context, obj=None, **kwargs):
        if obj and self.may_view_stock(request):
            context["movements"], _ = self.list_movements(request, obj, LAST_MOVEMENTS)
        return super().render_change_form(request, context, obj=obj, **kwargs)

    def list_movements(self, request, product, limit, start=None):
        """Return as `list_balances`, each movement with its `label`, and `person` for `by`.

        Users who may not view orders do not see which order it was, by whom and with which note.
        """
        movements, next_start = list_balances(product, limit, start)
        ids = {movement["by"] for movement in movements}
        users = get_user_model().objects.filter(pk__in=ids)
        usernames = dict(users.values_list("pk", "username")) | {None: "the shop"}
        for movement in movements:
            movement["label"] = LABELS[movement["reason"]]
            movement["person"] = usernames[movement["by"]]
            if movement["order"] and not may_view(self, request, Order):
                movement |= {"order": None, "person": "", "note": ""}
        return movements, next_start
