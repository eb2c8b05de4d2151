"""`manage.py check --deploy` tells that mails are on and no mail server is set."""

from django.conf import settings
from django.core.checks import Info, register

from shopply.api.mail import has_mail_server


@register("mail", deploy=True)
def check_mail_server(app_configs, **kwargs):
    if not (settings.DEBUG or has_mail_server()) and (
        settings.ORDER_MAILS or settings.STAFF_EMAILS
    ):
        yield Info(
            "No mail server is set: customers and staff get no mails.",
            hint="Set EMAIL_URL or EMAIL_BACKEND; or set ORDER_MAILS to false.",
            id="mail.I001",
        )
