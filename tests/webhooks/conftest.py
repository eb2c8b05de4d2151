import pytest

from tests.webhooks.receiver import receiving


@pytest.fixture
def receiver(settings):
    """A receiver on this machine, which the settings allow."""
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]
    with receiving() as receiver:
        yield receiver
