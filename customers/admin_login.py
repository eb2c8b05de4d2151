"""Log-in and password change of the admin, with the limits on failed log-ins."""

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm, AdminPasswordChangeForm
from django.contrib.auth import authenticate, views
from django.contrib.auth.forms import UsernameField
from django.core.exceptions import PermissionDenied, ValidationError
from django.urls import reverse

from customers.login_limits import LoginThrottled
from customers.models import AccountClosed, Customer
from shopply.api.slots import Busy


class LoginForm(AdminAuthenticationForm):
    username = UsernameField(
        label="User name or e-mail address", widget=forms.TextInput(attrs={"autofocus": True})
    )
    status = 200
    wait = None  # seconds, if the password was not checked

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["username"].widget.attrs["maxlength"] = Customer.email.field.max_length

    def clean(self):
        try:
            return super().clean()
        except LoginThrottled as exc:
            self.status, self.wait = 429, exc.wait
            raise ValidationError(str(exc)) from None
        except Busy as exc:
            self.status, self.wait = 503, 1
            raise ValidationError(str(exc)) from None


class PasswordChangeForm(AdminPasswordChangeForm):
    """Count wrong passwords as failed log-ins, and write only the password."""

    def clean_old_password(self):
        password = self.cleaned_data["old_password"]
        try:
            user = authenticate(self.request, username=self.user.username, password=password)
        except (LoginThrottled, Busy) as exc:
            raise ValidationError(str(exc)) from None
        if not user:
            raise ValidationError(self.error_messages["password_incorrect"])
        return password

    def save(self, commit=True):
        try:
            self.user.change_password(self.cleaned_data["new_password1"])
        except AccountClosed:
            raise PermissionDenied from None
        return self.user


class PasswordChangeView(views.PasswordChangeView):
    form_class = PasswordChangeForm

    def get_form(self, form_class=None):
        form = super().get_form(form_class)
        form.request = self.request
        return form

    def form_valid(self, form):
        try:
            return super().form_valid(form)
        except Busy as exc:
            form.add_error(None, str(exc))
            return self.form_invalid(form)


class LimitedLoginMixin:
    """For the AdminSite: log-ins over the limits are a 429 or 503 with Retry-After."""

    login_form = LoginForm

    def login(self, request, extra_context=None):
        response = super().login(request, extra_context)
        form = getattr(response, "context_data", {}).get("form")
        if form and form.wait:
            response.status_code = form.status
            response["Retry-After"] = form.wait
        return response

    def password_change(self, request, extra_context=None):
        context = {**self.each_context(request), **(extra_context or {})}
        done = reverse("admin:password_change_done")
        return PasswordChangeView.as_view(success_url=done, extra_context=context)(request)
