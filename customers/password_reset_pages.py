"""Forgotten passwords on pages: Django's views, whose requests only enqueue a task."""

from django.contrib.auth import forms, views

from customers.links import InvalidLink
from customers.login_limits import describe_wait
from customers.password_links import get_account, reset_password
from customers.password_reset import request_links
from customers.rate_limits import network
from customers.throttles import ScopedThrottle
from shopply.api.mail import describe_shop
from shopply.api.slots import Busy


class PasswordResetForm(forms.PasswordResetForm):
    def save(self, **options):
        """Leave the mail to the worker."""
        request_links(self.cleaned_data["email"])


class PasswordResetView(views.PasswordResetView):
    """The page of the admin that asks for the e-mail address, limited as in the API."""

    form_class = PasswordResetForm

    def form_valid(self, form):
        throttle = ScopedThrottle()
        if throttle.allow("account", network(self.request.META["REMOTE_ADDR"]), {}):
            return super().form_valid(form)
        wait = describe_wait(throttle.wait())
        form.add_error("email", f"Too many requests from your address: try again in {wait}.")
        response = self.form_invalid(form)
        response.status_code = 429
        response["Retry-After"] = throttle.wait()
        return response


class SetPasswordForm(forms.SetPasswordForm):
    def save(self, commit=True):
        """Raises InvalidLink, Busy."""
        reset_password(self.user, self.cleaned_data["new_password1"])
        return self.user


class ShopPageMixin:
    def get_context_data(self, **kwargs):
        return super().get_context_data(**kwargs) | describe_shop()


class PasswordResetConfirmView(ShopPageMixin, views.PasswordResetConfirmView):
    """The page of a link: it moves the token from its address into the session."""

    form_class = SetPasswordForm
    template_name = "customers/password_reset_confirm.html"

    def get_user(self, uidb64):
        return get_account(uidb64)

    def form_valid(self, form):
        try:
            return super().form_valid(form)
        except InvalidLink:
            self.validlink = False
            return self.render_to_response(self.get_context_data())
        except Busy as exc:
            form.add_error(None, str(exc))
            return self.form_invalid(form)


class PasswordResetCompleteView(ShopPageMixin, views.PasswordResetCompleteView):
    template_name = "customers/password_reset_complete.html"
