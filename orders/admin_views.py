"""The pages on which staff do something with one order."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html

from orders.admin_forms import FORMS
from orders.models import Order
from orders.transitions import IllegalTransition, allowed_actions
from shopply.api.permissions import may_view


class ActionsMixin:
    def get_urls(self):
        view = self.admin_site.admin_view(self.action_view)
        route = "<int:pk>/move/<str:name>/"
        return [path(route, view, name="orders_order_transition"), *super().get_urls()]

    def has_transition_permission(self, request):
        return request.user.has_perm("orders.change_order")

    def action_view(self, request, pk, name):
        """Ask before the order changes (GET), or change it (POST)."""
        if name not in FORMS:
            raise Http404
        if not self.has_transition_permission(request):
            raise PermissionDenied
        orders = Order.objects.select_related("customer")
        if request.method != "POST":
            order = get_object_or_404(orders, pk=pk)
            return self.refuse(request, order, name) or self.ask(request, order, name)
        with transaction.atomic():
            # Locked: nobody changes it between the comparison with what the page showed and `save`.
            order = get_object_or_404(orders.select_for_update(of=("self",), no_key=True), pk=pk)
            return self.refuse(request, order, name) or self.change_order(request, order, name)

    def refuse(self, request, order, name):
        """Return the response if this is not possible now; None if it is."""
        if name in (*allowed_actions(request.user, order), "staff_note"):
            return None
        return self.redirect_with_error(request, order, IllegalTransition(name, order.status))

    def redirect_with_error(self, request, order, error):
        self.message_user(request, f"{order}: {error}", messages.ERROR)
        return redirect(self.get_page_url(request, "change", order.pk))

    def change_order(self, request, order, name):
        form = FORMS[name](request.POST, order=order)
        if not form.is_valid():
            return self.ask(request, order, name, form)
        if form.is_outdated:
            form.update_version()
            return self.ask(request, order, name, form, status=409)
        goes_on = "_next" in request.POST and not form.stays
        next_pk = self.get_neighbour(request, order, "next") if goes_on else None
        try:
            form.save(by=request.user)
        except IllegalTransition as exc:  # the day in which it can be undone ended just now
            return self.redirect_with_error(request, order, exc)
        self.report(request, form)
        if form.stays:
            return redirect(self.get_page_url(request, "change", order.pk))
        return self.redirect_to(request, next_pk) if goes_on else self.redirect_to_list(request)

    def report(self, request, form):
        """Say what was done, with a link to take it back."""
        order = form.order
        link = '<a href="{}">{}</a>'
        message = format_html(
            form.message,
            order=format_html(link, self.get_page_url(request, "change", order.pk), order),
            status=order.get_status_display().lower(),
        )
        if order.can_undo and not form.stays:
            url = self.get_page_url(request, "transition", order.pk, "undo")
            message = format_html("{} " + link, message, url, "Undo")
        self.message_user(request, message, messages.SUCCESS)

    def get_initial(self, request, order):
        """Return the account's address where the order, which is to be collected, has none."""
        is_shown = may_view(self, request, get_user_model())
        return {} if order.shipping_address or not is_shown else order.customer.postal_address()

    def ask(self, request, order, name, form=None, status=200):
        form = form or FORMS[name](order=order, initial=self.get_initial(request, order))
        context = {
            **self.admin_site.each_context(request),
            "title": form.title.format(order.pk),
            "opts": self.opts,
            "preserved_filters": self.get_preserved_filters(request),
            "original": order,
            "address": self.address(order),
            "form": form,
            "is_outdated": status == 409,
            "carriers": settings.CARRIERS,
        }
        templates = [f"admin/orders/order/{page}.html" for page in (name, "ask")]
        return TemplateResponse(request, templates, context, status=status)
