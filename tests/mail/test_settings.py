"""What `check --deploy` says about mail."""

import pytest
from django.core import checks

DUMMY = "django.core.mail.backends.dummy.EmailBackend"


@pytest.mark.parametrize(
    ("values", "is_reported"),
    [
        ({"EMAIL_BACKEND": DUMMY}, True),
        ({"EMAIL_BACKEND": DUMMY, "ORDER_MAILS": False}, False),
        ({"EMAIL_BACKEND": DUMMY, "DEBUG": True}, False),
        ({"EMAIL_BACKEND": "anymail.backends.postmark.EmailBackend"}, False),
    ],
)
def test_missing_mail_server_is_an_info(settings, values, is_reported):
    for name, value in ({"DEBUG": False} | values).items():
        setattr(settings, name, value)
    messages = checks.run_checks(tags=["mail"], include_deployment_checks=True)
    assert [message.id for message in messages] == ["mail.I001"] * is_reported
    assert all(message.level == checks.INFO for message in messages)
