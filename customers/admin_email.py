"""E-mail addresses in the admin."""

from customers.tasks import mail_confirmation_link, mail_old_address


class EmailAdminMixin:
    def save_model(self, request, customer, form, change):
        """An address that staff enter takes effect at once, confirmed only if they say so."""
        is_new = "email" in form.changed_data
        is_decided = "email_confirmed" in form.changed_data
        if is_new:
            customer.new_email = ""
            customer.email_confirmed = is_decided and customer.email_confirmed
        super().save_model(request, customer, form, change)
        if customer.email_confirmed and (is_new or is_decided):
            customer.release_from_others(customer.email)
        elif is_new and customer.email:
            mail_confirmation_link.enqueue(customer.pk)
        if is_new and form.initial.get("email_confirmed"):
            mail_old_address.enqueue(customer.pk, form.initial["email"])
