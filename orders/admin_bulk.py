"""Bulk transitions in the admin: selected in the list, asked about, made in steps."""

from copy import deepcopy

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.views.decorators.http import require_POST

from orders.admin_forms import NoteField, ShipForm
from orders.admin_search import CUT_SHORT, is_selection_cut_short
from orders.bulk import MAX_ORDERS, MAX_PARCELS, PARCEL, BulkTransition, TooManyOrders
from orders.transitions import TRANSITIONS


def count_orders(count):
    return f"{count:,} order{'' if count == 1 else 's'}"


def bulk_action(name):
    """Return the admin action that asks about this transition of the selected orders."""

    @admin.action(description=f"{name.capitalize()} selected orders", permissions=["transition"])
    def select(modeladmin, request, orders):
        if not orders.exists():
            modeladmin.message_user(request, "These orders are not in the list.", messages.ERROR)
            return None
        try:
            bulk = BulkTransition.objects.select(
                orders,
                name=name,
                by=request.user,
                is_cut_short=is_selection_cut_short(request),
            )
        except TooManyOrders:
            message = f"Select at most {count_orders(MAX_ORDERS)}: narrow the list by a filter."
            modeladmin.message_user(request, message, messages.ERROR)
            return None
        return modeladmin.redirect_to_bulk(request, bulk)

    select.__name__ = name
    return select


BULK_ACTIONS = tuple(bulk_action(name) for name in TRANSITIONS)


class NoteForm(forms.Form):
    required_css_class = "required"
    note = NoteField(label="Note to the customers", required=False)


class ParcelsForm(NoteForm):
    """With carrier and tracking number of each order."""

    def __init__(self, *args, orders, **kwargs):
        super().__init__(*args, **kwargs)
        self.orders = orders
        for order in orders:
            for name in PARCEL:
                field = deepcopy(ShipForm.base_fields[name])
                label = f"{name.replace('_', ' ')} of {order}"
                field.help_text, field.widget.attrs["aria-label"] = "", label.capitalize()
                self.fields[f"{name}_{order.pk}"] = field

    @property
    def rows(self):
        """The orders, each with its two fields."""
        return [(order, [self[f"{name}_{order.pk}"] for name in PARCEL]) for order in self.orders]

    @property
    def parcels(self):
        """`(id, parcel)` of each order, as `BulkTransition.start` takes them."""
        data = self.cleaned_data
        return [
            (order.pk, {name: data[f"{name}_{order.pk}"] for name in PARCEL})
            for order in self.orders
        ]


class ReasonForm(NoteForm):
    note = NoteField(label="Reason")


class BulkTransitionMixin:
    """Mixed into the admin of orders, before OrderPageMixin, whose URLs and permission it uses."""

    change_list_template = "admin/orders/order/change_list.html"

    def get_action_choices(self, request, *args):
        """Cancelling stands apart."""
        choices = super().get_action_choices(request, *args)
        final = [choice for choice in choices if choice[0] == "cancel"]
        others = [choice for choice in choices if choice[0] != "cancel"]
        return [*others, ("Cannot be undone", final)] if final else others

    def changelist_view(self, request, extra_context=None):
        unfinished = BulkTransition.objects.unfinished(request.user)[:5]
        context = {"unfinished_bulk_transitions": unfinished, **(extra_context or {})}
        return super().changelist_view(request, context)

    def get_urls(self):
        view = self.admin_site.admin_view
        return [
            path("bulk/<int:pk>/", view(self.bulk_view), name="orders_order_bulk"),
            path(
                "bulk/<int:pk>/step/",
                view(require_POST(self.bulk_step_view)),
                name="orders_order_bulk_step",
            ),
            path(
                "bulk/<int:pk>/stop/",
                view(require_POST(self.bulk_stop_view)),
                name="orders_order_bulk_stop",
            ),
            *super().get_urls(),
        ]

    def get_bulk(self, request, pk):
        if not self.has_transition_permission(request):
            raise PermissionDenied
        return get_object_or_404(BulkTransition, pk=pk, by=request.user)

    def bulk_view(self, request, pk):
        """Ask before the transition starts, then show how far it is, then lead to the list."""
        bulk = self.get_bulk(request, pk)
        if not bulk.started:
            return self.ask_about_bulk(request, bulk)
        counts = bulk.count()
        if counts["pending"]:
            progress = self.get_bulk_progress(bulk, counts)
            return self.render_bulk(request, "progress", bulk, str(bulk), **progress)
        if bulk.report():  # not again when the page is reloaded
            self.report_bulk(request, bulk, **counts)
        return self.redirect_to_list(request)

    def ask_about_bulk(self, request, bulk):
        data = request.POST if request.method == "POST" else None
        form = (
            ReasonForm(data)
            if bulk.name == "cancel"
            else ParcelsForm(data, orders=bulk.list_orders_to_ship())
        )
        if form.is_valid():
            bulk.start(form.cleaned_data["note"], getattr(form, "parcels", ()))
            return self.redirect_to_bulk(request, bulk)
        statuses = bulk.count_statuses()
        ready = sum(statuses.pop(status, 0) for status in bulk.transition.sources)
        return self.render_bulk(
            request,
            "confirmation",
            bulk,
            f"{bulk.name.capitalize()} {count_orders(ready)}?",
            form=form,
            carriers=settings.CARRIERS,
            max_parcels=MAX_PARCELS,
            ready=ready and count_orders(ready),
            others=[f"{count_orders(count)} {status}" for status, count in statuses.items()],
            stock=bulk.count_stock() if bulk.name == "cancel" else None,
        )

    def bulk_step_view(self, request, pk):
        """Make a step; the script of the page asks for JSON, a form returns to the page."""
        bulk = self.get_bulk(request, pk)
        bulk.step()
        if request.accepts("text/html"):
            return self.redirect_to_bulk(request, bulk)
        return JsonResponse(self.get_bulk_progress(bulk, bulk.count()))

    def bulk_stop_view(self, request, pk):
        bulk = self.get_bulk(request, pk)
        bulk.stop()
        return self.redirect_to_bulk(request, bulk)

    def redirect_to_bulk(self, request, bulk):
        return redirect(self.get_page_url(request, "bulk", bulk.pk))

    def get_bulk_progress(self, bulk, counts):
        done = bulk.total - counts["pending"]
        text = f"{done:,} of {count_orders(bulk.total)}"
        return {"done": done, "total": bulk.total, "text": text}

    def report_bulk(self, request, bulk, changed, refused, **counts):
        target = bulk.transition.target
        if changed:
            self.message_user(request, f"{count_orders(changed)} {target}.")
        if refused:
            message = format_html(
                '{} of another status could not be {}: <a href="{}?bulk={}">show</a>',
                count_orders(refused),
                target,
                reverse("admin:orders_order_changelist"),
                bulk.pk,
            )
            self.message_user(request, message, messages.WARNING)

    def render_bulk(self, request, template, bulk, title, **context):
        context |= {
            **{"opts": self.opts, "title": title, "bulk": bulk, "cut_short": CUT_SHORT},
            "preserved_filters": self.get_preserved_filters(request),
        }
        return TemplateResponse(
            request,
            f"admin/orders/order/bulk_{template}.html",
            self.admin_site.each_context(request) | context,
        )
