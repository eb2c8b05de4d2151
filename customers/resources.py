"""Customers in a sheet."""

from customers.models import Customer
from shopply.api.sheet_admin import SheetResource


class CustomerResource(SheetResource):
    class Meta:
        model = Customer
        name = "customers"
        fields = (
            *("id", "username", "first_name", "last_name", "email", "email_confirmed"),
            "contact_number",
            *Customer.ADDRESS,
            *("is_active", "is_staff", "date_joined", "last_login", "closed"),
        )
