from django import template
from django.contrib import admin

from orders.models import Order

register = template.Library()


@register.inclusion_tag("admin/orders/order/of_customer.html", takes_context=True)
def customer_orders(context, customer):
    """Show how many orders the customer placed, if the user may look at orders."""
    if not admin.site.get_model_admin(Order).has_view_permission(context["request"]):
        return {}
    orders = Order.objects.for_customer(customer.pk)
    last_order = orders.order_by("-pk").first()
    return {"customer": customer, "totals": orders.totals(), "last_order": last_order}
