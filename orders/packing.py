"""Pick lists and packing slips of the orders selected in the admin, as pages and as PDF."""

import re
from collections import defaultdict
from functools import cache

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils import timezone

from orders.addresses import label_lines
from orders.admin_search import CUT_SHORT, is_selection_cut_short
from orders.models import Order
from orders.transitions import Status
from shopply.api.permissions import may_view

MAX_ORDERS = 200
ORDER_ID = re.compile("[0-9]{1,18}", re.ASCII)
# WeasyPrint takes 30 milliseconds for an order and 4 for an item, so this is 4 seconds at most.
MAX_PDF_ORDERS = 50
MAX_PDF_ITEMS = 500


@cache
def load_pdf_renderer():
    """Return `render_pdf`, or None where WeasyPrint is missing. The first call takes a second."""
    try:
        from orders.pdf import render_pdf
    except (ImportError, OSError):  # not installed, or without the libraries of Pango
        return None
    return render_pdf


def has_pdf(orders):
    """Return whether the shop makes PDFs, and these orders are few enough for one."""
    items = sum(len(order.item_list) for order in orders)
    return load_pdf_renderer() and len(orders) <= MAX_PDF_ORDERS and items <= MAX_PDF_ITEMS


def pick_list(orders):
    """Return `{"products": [...]}`, each with its quantity in all and in each order."""
    quantities = defaultdict(list)
    for order in orders:
        for item in order.item_list:
            quantities[item.product].append((order, item.quantity))
    products = [
        {"product": product, "quantity": sum(quantity for _, quantity in parts), "orders": parts}
        for product, parts in quantities.items()
    ]
    return {"products": sorted(products, key=lambda row: row["product"].name.casefold())}


def packing_slips(orders):
    """Return `{"slips": [...]}`, each with the lines of the recipient's address."""
    return {"slips": [{"order": order, "recipient": recipient(order)} for order in orders]}


def recipient(order):
    """Return the lines of a label; of an order to collect, the customer's name."""
    return label_lines(order.shipping_address) or [order.collector]


PRINTS = {"pick-list": pick_list, "packing-slips": packing_slips}


def print_action(name, description):
    """Return the admin action that opens a page to print, whose address names the orders."""

    @admin.action(description=description, permissions=["view"])
    def select(modeladmin, request, orders):
        if is_selection_cut_short(request):
            modeladmin.message_user(request, CUT_SHORT, messages.ERROR)
            return None
        ids = [str(pk) for pk in orders.values_list("pk", flat=True)[: MAX_ORDERS + 1]]
        if len(ids) > MAX_ORDERS:
            message = f"Print at most {MAX_ORDERS} orders at once: select fewer."
            modeladmin.message_user(request, message, messages.ERROR)
            return None
        page = modeladmin.get_page_url(request, "print", name)
        return redirect(f"{page}{'&' if '?' in page else '?'}ids={','.join(ids)}")

    select.__name__ = name.replace("-", "_")
    return select


PRINT_ACTIONS = (
    print_action("pick-list", "Print the pick list"),
    print_action("packing-slips", "Print packing slips"),
)


class PackingMixin:
    """Mixed into the admin of orders."""

    def get_urls(self):
        view = self.admin_site.admin_view
        return [
            path("print/<str:name>/", view(self.print_view), name="orders_order_print"),
            path("print/<str:name>/pdf/", view(self.pdf_view), name="orders_order_pdf"),
            *super().get_urls(),
        ]

    def print_view(self, request, name):
        context = self.print_context(request, name)
        if has_pdf(context["orders"]):
            pdf = reverse("admin:orders_order_pdf", args=[name])
            context["pdf"] = f"{pdf}?ids={request.GET.get('ids', '')}"
        return HttpResponse(self.render_print(name, context))

    def pdf_view(self, request, name):
        context = self.print_context(request, name)
        if not has_pdf(context["orders"]):
            raise BadRequest("The shop makes no PDFs, or none of so many orders.")
        headers = {"Content-Disposition": f'attachment; filename="{name}.pdf"'}
        pdf = load_pdf_renderer()(self.render_print(name, context))
        return HttpResponse(pdf, content_type="application/pdf", headers=headers)

    def print_context(self, request, name):
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        if name not in PRINTS:
            raise Http404
        ids = request.GET["ids"].split(",") if request.GET.get("ids") else []
        if len(ids) > MAX_ORDERS:
            raise BadRequest(f"At most {MAX_ORDERS} orders are printed at once.")
        if not all(map(ORDER_ID.fullmatch, ids)):
            raise BadRequest("The address names orders that cannot exist.")
        orders = Order.objects.filter(pk__in=ids).order_by("pk")
        to_pack = orders.exclude(status=Status.CANCELLED)
        to_pack = list(to_pack.select_related("customer").prefetch_related("items__product"))
        is_shown = may_view(self, request, get_user_model())
        for order in to_pack:  # a name is of the account; orders show its user name to all staff
            customer = order.customer
            order.collector = customer.postal_address()["name"] if is_shown else customer.username
        return PRINTS[name](to_pack) | {
            "orders": to_pack,
            "cancelled": orders.filter(status=Status.CANCELLED),
            "shop_name": settings.SHOP_NAME,
            "shop_address": settings.SHOP_ADDRESS.split("|"),
            "now": timezone.now(),
            "list": self.get_page_url(request, "changelist"),
        }

    def render_print(self, name, context):
        return render_to_string(f"orders/{name.replace('-', '_')}.html", context)
