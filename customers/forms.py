"""The forms of accounts in the admin."""

from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.core.exceptions import ValidationError
from django.forms import ModelForm

from customers.models import EMAIL_TAKEN, USERNAME_TAKEN, Customer
from customers.permission_picker import PermissionFormMixin


class UniqueLoginMixin:
    """Rejects a user name of which another customer has the name or the address.

    And an e-mail address that another customer confirmed.
    """

    def clean(self):
        cleaned = super().clean()
        customers = Customer.objects
        for field, owners, message in (
            ("username", customers.with_login, USERNAME_TAKEN),
            ("email", customers.with_confirmed_email, EMAIL_TAKEN),
        ):
            login = self.cleaned_data.get(field)
            is_new = login and login != self.initial.get(field)
            if is_new and owners(login).exclude(pk=self.instance.pk).exists():
                self.add_error(field, message)
        return cleaned


class CustomerCreateForm(UniqueLoginMixin, AdminUserCreationForm):
    pass


class CustomerForm(PermissionFormMixin, UniqueLoginMixin, UserChangeForm):
    def clean(self):
        """Keep the last superuser: without one, nobody could run the shop."""
        cleaned = super().clean()
        if cleaned.get("email_confirmed") and not cleaned.get("email", self.instance.email):
            self.add_error("email_confirmed", "There is no address.")
        stays = cleaned.get("is_superuser") and cleaned.get("is_active")
        can_change = {"is_superuser", "is_active"} & self.fields.keys()
        if can_change and not stays and self.instance.is_last_superuser():
            raise ValidationError(
                "This is the last superuser: make another account a superuser first."
            )
        return cleaned


class GroupForm(PermissionFormMixin, ModelForm):
    pass


class StaffCreateForm(CustomerCreateForm):
    def save(self, commit=True):
        self.instance.is_staff = True
        return super().save(commit)
