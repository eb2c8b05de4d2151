"""Superusers keep the endpoints in the admin; secrets are shown once."""

import json

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core import mail
from django.core.serializers import serialize
from django.utils import timezone

from customers.permission_picker import permission_labels
from tests.forms import submit
from tests.webhooks.receiver import make_endpoint
from tests.webhooks.worker import run_tasks
from webhooks.models import Delivery, Endpoint
from webhooks.tasks import mail_disabled

PATH = "/admin/webhooks/endpoint/"


@pytest.fixture
def endpoint(receiver, db):
    return make_endpoint(receiver, events=["order.placed"])


def change_page(endpoint):
    return f"{PATH}{endpoint.pk}/change/"


def test_secret_is_shown_once_when_the_endpoint_is_added(in_the_admin):
    form = {"url": "https://8.8.8.8/hook", "events": ["order.placed"]}
    response = in_the_admin.post(f"{PATH}add/", form | {"is_active": "on"}, follow=True)
    endpoint = Endpoint.objects.get()
    assert endpoint.secret.startswith("whsec_")
    assert response.content.decode().count(endpoint.secret) == 1
    for page in (PATH, change_page(endpoint), f"{PATH}{endpoint.pk}/history/"):
        assert "whsec_" not in in_the_admin.get(page).content.decode()
    assert "whsec_" not in serialize("json", LogEntry.objects.all())


def test_replaced_secret_is_shown_once(in_the_admin, endpoint):
    old = endpoint.secret
    action = {"action": "replace_secret", "_selected_action": [endpoint.pk]}
    html = in_the_admin.post(PATH, action, follow=True).content.decode()
    endpoint.refresh_from_db()
    assert endpoint.secret != old
    assert (endpoint.secret in html, old in html) == (True, False)
    assert "whsec_" not in in_the_admin.get(PATH).content.decode()
    assert LogEntry.objects.latest("pk").change_message == "Replaced the secret."


@pytest.mark.parametrize("url", ["https://10.0.0.1/", "http://8.8.8.8/", "https://localhost/"])
def test_private_url_is_refused_by_the_form(in_the_admin, url):
    response = in_the_admin.post(f"{PATH}add/", {"url": url})
    assert response.context["adminform"].form.errors.keys() == {"url"}


def test_disabled_endpoint_is_switched_on_again_where_it_stopped(in_the_admin, endpoint):
    position = endpoint.cursor
    Endpoint.objects.update(
        is_active=False, failures=40, failing_since=timezone.now(), next_attempt=timezone.now()
    )
    Endpoint.objects.update(disabled_reason="Nothing was delivered for 5 days.")
    assert "Nothing was delivered" in in_the_admin.get(PATH).content.decode()
    assert submit(in_the_admin, change_page(endpoint), is_active=["on"]).status_code == 302
    endpoint.refresh_from_db()
    assert (endpoint.is_active, endpoint.failures, endpoint.next_attempt) == (True, 0, None)
    assert (endpoint.cursor, endpoint.disabled_reason) == (position, "")


@pytest.mark.django_db(transaction=True)
def test_test_event_is_sent_even_to_an_inactive_endpoint(in_the_admin, endpoint, receiver):
    Endpoint.objects.update(is_active=False)
    in_the_admin.post(PATH, {"action": "send_test", "_selected_action": [endpoint.pk]})
    assert "waiting" in in_the_admin.get("/admin/webhooks/delivery/").content.decode()
    run_tasks()
    ((_, payload),) = receiver.messages
    assert (payload["type"], payload["data"]) == ("test", {})
    delivery = Delivery.objects.get()
    assert (delivery.status, json.loads(delivery.body)) == (204, payload)


def test_endpoint_with_a_log_is_not_deleted(in_the_admin, endpoint):
    assert in_the_admin.get(f"{PATH}{endpoint.pk}/delete/").status_code == 200
    endpoint.deliveries.create(message_id="msg_1", event="test", body="{}")
    assert in_the_admin.get(f"{PATH}{endpoint.pk}/delete/").status_code == 403


def test_failed_deliveries_of_an_endpoint_are_found_in_few_queries(
    in_the_admin, endpoint, django_assert_max_num_queries
):
    for number in range(30):
        endpoint.deliveries.create(
            message_id=f"msg_{number}", event="order.placed", object_id=number, body="{}"
        )
    Delivery.objects.filter(object_id__gte=10).update(succeeded=True)
    query = {"succeeded__exact": "0", "endpoint__id__exact": endpoint.pk}
    with django_assert_max_num_queries(12):
        response = in_the_admin.get("/admin/webhooks/delivery/", query)
    assert response.context["cl"].result_count == 10


def test_only_a_hundred_are_sent_again_at_once(in_the_admin, endpoint):
    rows = [
        Delivery(endpoint=endpoint, message_id=f"msg_{number}", event="test", body="{}")
        for number in range(101)
    ]
    pks = [row.pk for row in Delivery.objects.bulk_create(rows)]
    form = {"action": "send_again", "_selected_action": pks}
    response = in_the_admin.post("/admin/webhooks/delivery/", form, follow=True)
    assert "Choose at most 100 at once." in response.content.decode()


def test_no_permission_for_webhooks_can_be_given():
    labels = permission_labels(admin.site)
    assert not [label for app_label, label in labels if app_label == "webhooks"]


def test_model_has_no_permissions(db):
    assert not Permission.objects.filter(content_type__app_label="webhooks").exists()


def test_mail_about_an_endpoint_that_is_on_again_is_not_sent(endpoint, settings):
    settings.STAFF_EMAILS = ["staff@example.com"]
    mail_disabled.call(endpoint.pk)
    assert mail.outbox == []
    Endpoint.objects.update(is_active=False, disabled_reason="The receiver responded 410 Gone.")
    mail_disabled.call(endpoint.pk)
    (message,) = mail.outbox
    assert "410 Gone" in message.alternatives[0].content
