import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from customers.checks import (
    PUBLISHED_LOGINS,
    check_confirmation_mails,
    check_demo_passwords,
)


def test_deploy_check_names_every_published_log_in(demo_shop):
    errors = check_demo_passwords(None)
    assert [error.id for error in errors] == ["customers.E001"] * 3
    assert all(f"'{name}'" in str(errors) for name in PUBLISHED_LOGINS)


def test_check_deploy_fails_on_published_log_ins(demo_shop):
    with pytest.raises(SystemCheckError, match="customers.E001"):
        call_command("check", deploy=True)


def test_account_that_is_closed_or_has_another_password_passes(demo_shop, django_user_model):
    django_user_model.objects.get(username="admin").change_password("my-bee-loud-glade")
    django_user_model.objects.get(username="lena").close()
    assert ["'tomas'" in error.msg for error in check_demo_passwords(None)] == [True]


def test_shop_without_demo_accounts_passes(db, alice):
    assert check_demo_passwords(None) == []


def test_shop_that_requires_confirmed_addresses_sends_mail(settings):
    settings.REQUIRE_CONFIRMED_EMAIL = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    assert [error.id for error in check_confirmation_mails(None)] == ["customers.E004"]
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    assert not [*check_confirmation_mails(None)]
