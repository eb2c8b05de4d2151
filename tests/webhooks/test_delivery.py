"""Each endpoint gets every change, in the order of the feed, at least once."""

import base64
import json
import re
import time
from datetime import timedelta

import pytest
from django.conf import settings
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from standardwebhooks import Webhook, WebhookVerificationError

from changes.models import Change, Cursor, Feed, Position
from changes.triggers import list_triggers
from products.models import Product
from tests import factories
from tests.changes.follower import wait_until_shown
from tests.servers import at_once
from tests.webhooks.receiver import make_endpoint, receiving, respond
from tests.webhooks.worker import make_due, run_tasks, work
from webhooks import models
from webhooks.client import Result
from webhooks.events import EVENT_NAMES, EVENTS
from webhooks.metrics import WebhookCollector
from webhooks.models import Delivery, Endpoint, EndpointQuerySet, create_secret
from webhooks.schema import CHANGE
from webhooks.tasks import deliver, enqueue_deliveries, remove_old_deliveries

# The feed shows what is committed.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def endpoint(receiver):
    return make_endpoint(receiver)


def make_products(count):
    """Make products one after the other; return what an endpoint gets of them."""
    products = [factories.products.make() for _ in range(count)]
    wait_until_shown()
    return [("product.created", product.pk) for product in products]


def test_order_is_followed_from_placing_to_delivery(receiver, alice, clerk):
    product = factories.products.make(quantity_in_stock=2)
    make_endpoint(receiver)
    order = factories.place(alice, {product: 2})
    factories.make_transitions(order, ["confirm", "ship", "deliver"], by=clerk)
    work()
    orders = [event for event in receiver.events if event[0].startswith("order.")]
    names = ("placed", "confirmed", "shipped", "delivered")
    assert orders == [(f"order.{name}", order.pk) for name in names]
    products = {event for event in receiver.events if event[0].startswith("product.")}
    assert products == {(f"product.{name}", product.pk) for name in ("stock_changed", "sold_out")}


def test_message_is_the_change_of_the_feed_signed_and_named(receiver, endpoint, as_clerk):
    product = factories.products.make(name="Crème brûlée 🍮")
    work()
    change = as_clerk.get("/api/changes/").json()["results"][-1]
    message_id, payload = receiver.messages[-1]
    assert payload == {"type": "product.created", "timestamp": change["at"], "data": change}
    assert change["id"] == product.pk
    assert change.keys() == CHANGE.keys()  # as the OpenAPI document has it
    assert message_id == f"msg_{change['cursor']}"
    headers = receiver.headers[0]
    assert (headers["Content-Type"], headers["User-Agent"]) == ("application/json", "shopply")


def test_endpoint_gets_the_events_that_it_is_for(receiver, alice):
    make_endpoint(receiver, events=["order.placed", "product.price_changed"])
    product = factories.products.make()
    order = factories.place(alice, {product: 1})
    order.cancel(by=alice)
    Product.objects.filter(pk=product.pk).update(price="3.00")
    work()
    assert receiver.events == [("order.placed", order.pk), ("product.price_changed", product.pk)]
    enqueue_deliveries()
    assert not DBTaskResult.objects.ready().exists()


def test_every_event_of_the_feed_has_a_name_for_webhooks():
    pattern = r"VALUES \(0, '(\w+)', \w+\.\w+, (?:'(\w+)'|NEW\.status)"
    written = {re.search(pattern, sql).groups() for sql in list_triggers().values()}
    moves = ("confirmed", "shipped", "delivered", "cancelled")
    written = written - {("order", None)} | {("order", event) for event in moves}
    assert written == {(type_, event) for type_, events in EVENTS.items() for event in events}
    assert all(re.fullmatch(r"[a-z]+\.[a-z_]+", name) for name in EVENT_NAMES)


def test_failures_stop_the_endpoint_and_nothing_is_lost_or_out_of_order(receiver, endpoint):
    receiver.script = [respond(500), respond(302, Location="/")]
    events = make_products(3)
    for failures in (1, 2):
        make_due()
        work()
        endpoint.refresh_from_db()
        assert (endpoint.failures, receiver.events) == (failures, [])
        assert endpoint.next_attempt > timezone.now()
    work()  # not due
    assert receiver.events == []
    make_due()
    work()
    endpoint.refresh_from_db()
    assert (endpoint.failures, endpoint.failing_since, endpoint.next_attempt) == (0, None, None)
    assert receiver.events == events
    deliveries = Delivery.objects.order_by("pk")
    assert [*deliveries.values_list("attempts", "succeeded", "status")] == [
        *((3, True, 204), (1, True, 204), (1, True, 204))
    ]


def test_receiver_that_is_killed_and_comes_back_gets_the_rest(receiver, settings):
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]
    with receiving() as first:
        make_endpoint(first)
        before = make_products(2)
        work()
        assert first.events == before
    after = make_products(2)
    work()
    assert Delivery.objects.get(succeeded=False).error == "refused"
    with receiving(first.server_port) as second:
        make_due()
        work()
        assert second.events == after


def test_retry_after_is_respected(receiver, endpoint):
    receiver.script = [respond(503, Retry_After="3600")]
    make_products(1)
    work()
    endpoint.refresh_from_db()
    assert endpoint.next_attempt > timezone.now() + timedelta(minutes=59)


def test_410_disables_at_once(receiver, endpoint, settings):
    settings.STAFF_EMAILS = ["staff@example.com"]
    receiver.script = [respond(410)]
    make_products(2)
    work()
    endpoint.refresh_from_db()
    assert (endpoint.is_active, receiver.events) == (False, [])
    assert endpoint.disabled_reason == "The receiver responded 410 Gone."
    (message,) = mail.outbox
    assert message.to == ["staff@example.com"]
    assert message.subject == f"Webhook endpoint {endpoint.pk} is disabled"
    assert endpoint.url in message.body
    work()
    assert Delivery.objects.get().attempts == 1


@pytest.mark.parametrize(("age", "is_active"), [(4.9, True), (5.1, False)])
def test_five_days_of_failure_disable(receiver, endpoint, age, is_active):
    receiver.script = [respond(500)]
    endpoint.failing_since = timezone.now() - timedelta(days=age)
    endpoint.failures = 30
    endpoint.save()
    make_products(1)
    work()
    endpoint.refresh_from_db()
    assert endpoint.is_active is is_active


def test_replaced_secret_signs_beside_the_one_before_for_a_day(receiver, endpoint):
    old = endpoint.secret
    endpoint.replace_secret()
    receiver.secret = None
    make_products(1)
    work()
    ((_, payload),) = receiver.messages
    (headers,), body = receiver.headers, Delivery.objects.get().body
    assert json.loads(body) == payload
    assert len(base64.b64decode(endpoint.secret.removeprefix("whsec_"))) == 32
    for secret in (old, endpoint.secret):
        Webhook(secret).verify(body, headers)
    endpoint.secret_replaced -= timedelta(days=1)
    endpoint.save()
    make_products(1)
    work()
    body = Delivery.objects.latest("pk").body
    Webhook(endpoint.secret).verify(body, receiver.headers[-1])
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(body, receiver.headers[-1])


def test_feed_that_began_anew_is_followed(receiver, endpoint):
    make_products(1)
    work()
    Change.objects.all().delete()
    Feed.objects.all().delete()
    work()
    events = make_products(2)
    work()
    assert receiver.events[1:] == events
    enqueue_deliveries()
    assert not DBTaskResult.objects.ready().exists()


def test_endpoint_that_was_off_for_long_goes_on_where_the_feed_begins(receiver, endpoint):
    make_products(1)
    Change.objects.update(at=timezone.now() - timedelta(days=40))
    while Change.objects.remove_old():
        pass
    events = make_products(1)
    work()
    assert receiver.events == events


# --- Tasks ---------------------------------------------------------------------------------------


def test_job_enqueues_one_task_for_each_endpoint_that_is_behind(receiver, endpoint, settings):
    make_endpoint(receiver, is_active=False)
    enqueue_deliveries()
    assert DBTaskResult.objects.count() == 0
    make_products(1)
    for _ in range(3):
        enqueue_deliveries()
    assert DBTaskResult.objects.count() == 1
    # As if the task was lost.
    DBTaskResult.objects.all().delete()
    endpoint.refresh_from_db()
    endpoint.queued_at -= timedelta(seconds=settings.TASK_TIMEOUT + 1)
    endpoint.save()
    enqueue_deliveries()
    assert DBTaskResult.objects.count() == 1


def test_job_reads_as_little_for_many_endpoints_as_for_one(receiver, endpoint):
    with CaptureQueriesContext(connection) as queries:
        enqueue_deliveries()
    for _ in range(10):
        make_endpoint(receiver)
    with CaptureQueriesContext(connection) as more_queries:
        enqueue_deliveries()
    assert len(more_queries) == len(queries) <= 4


def test_task_gives_others_their_turn_and_goes_on(receiver, endpoint, monkeypatch):
    monkeypatch.setattr("webhooks.tasks.WORK_TIME", 0)
    events = make_products(2)
    work()
    assert receiver.events == []
    monkeypatch.undo()
    work()
    assert receiver.events == events


def test_endpoint_that_is_far_behind_gets_some_messages_a_second(receiver, endpoint, monkeypatch):
    monkeypatch.setattr("webhooks.tasks.MESSAGES_AT_ONCE", 2)
    events = make_products(5)
    for count in (2, 4, 5, 5):
        work()
        assert receiver.events == events[:count]


def test_failure_after_deliveries_counts_both(receiver, endpoint):
    endpoint.failures, endpoint.failing_since = 2, timezone.now() - timedelta(hours=1)
    endpoint.save()
    receiver.script = [lambda handler: True, respond(500)]
    events = make_products(3)
    work()
    endpoint.refresh_from_db()
    assert receiver.events == events[:1]
    assert (endpoint.failures, endpoint.delivered_count, endpoint.failed_count) == (1, 1, 1)
    assert endpoint.failing_since > timezone.now() - timedelta(minutes=1)
    attempts = Delivery.objects.order_by("pk").values_list("attempts", "succeeded")
    assert [*attempts] == [(3, True), (1, False)]


def test_endpoint_that_staff_turn_off_while_it_sends_stays_off(receiver, endpoint):
    def turn_off(handler):
        Endpoint.objects.update(is_active=False)
        connection.close()  # that of the receiver's thread
        time.sleep(1.1)
        return True

    receiver.script = [turn_off]
    events = make_products(2)
    work()
    endpoint.refresh_from_db()
    assert (receiver.events, endpoint.is_active) == (events[:1], False)
    assert endpoint.delivered_count == 1


def test_endpoint_of_a_killed_worker_is_taken_over_once_its_lease_is_over(receiver, endpoint):
    events = make_products(1)
    held = Endpoint.objects.claim(endpoint.pk)
    work()
    deliver.call(endpoint.pk)
    assert receiver.events == []
    Endpoint.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    work()
    assert receiver.events == events
    # The one before comes to life again: it sends nothing, and moves nothing.
    assert not held.reload()
    position = Endpoint.objects.values("change_id", "delivered_count", "lease")
    before = position.get()
    held.move_to(Cursor(held.epoch, Position(0, 0)))
    held.release([Result(204, "", 5)])
    assert position.get() == before


def hold(handler):
    """A slow receiver, which then takes the message."""
    time.sleep(0.1)
    return True


def deliver_at_once(receiver, endpoint):
    """Have two workers send five changes at the same time; return what should be received."""

    def run():
        try:
            deliver.call(endpoint.pk)
        finally:
            connection.close()

    receiver.script = [hold] * 10
    events = make_products(5)
    at_once(run, run)
    return events


def test_two_workers_never_send_to_one_endpoint_at_the_same_time(receiver, endpoint):
    assert deliver_at_once(receiver, endpoint) == receiver.events


def test_without_the_lease_they_would(receiver, endpoint, monkeypatch):
    """The negative control: whoever claims gets the endpoint, and the lease is not compared."""
    monkeypatch.setattr(EndpointQuerySet, "claim", lambda self, pk: self.get(pk=pk))
    monkeypatch.setattr(Endpoint, "reload", lambda self: True)
    assert len(deliver_at_once(receiver, endpoint)) < len(receiver.events)


# --- The log -------------------------------------------------------------------------------------


def test_message_sent_again_has_the_same_id_and_body(receiver, endpoint, in_the_admin):
    make_products(2)
    work()
    form = {"action": "send_again", "_selected_action": [Delivery.objects.latest("pk").pk]}
    in_the_admin.post("/admin/webhooks/delivery/", form)
    Change.objects.all().delete()  # the feed is not needed any more
    run_tasks()
    *_, first, second = receiver.messages
    assert first == second
    assert Delivery.objects.latest("pk").attempts == 2


def test_log_is_removed_after_its_days_in_batches(receiver, endpoint, monkeypatch):
    monkeypatch.setattr(models, "BATCH_SIZE", 2)
    make_products(6)
    work()
    Delivery.objects.filter(pk__lt=Delivery.objects.latest("pk").pk).update(
        created=timezone.now() - timedelta(days=31)
    )
    remove_old_deliveries()
    assert Delivery.objects.count() == 1


def collect_metrics():
    """Return `{name and result: value}`."""
    families = WebhookCollector().collect()
    samples = [sample for family in families for sample in family.samples]
    return {" ".join([sample.name, *sample.labels.values()]): sample.value for sample in samples}


def test_metrics_count_attempts_and_show_the_slowest_endpoint(receiver, endpoint):
    make_endpoint(receiver, is_active=False, disabled_reason="The receiver responded 410 Gone.")
    receiver.secret, receiver.script = endpoint.secret, [respond(500)]
    make_products(2)
    work()
    Change.objects.update(at=timezone.now() - timedelta(hours=2))
    metrics = collect_metrics()
    assert metrics.pop("shopply_webhook_lag_seconds") == pytest.approx(7200, abs=60)
    assert metrics == {
        "shopply_webhook_attempts_total delivered": 0,
        "shopply_webhook_attempts_total failed": 1,
        "shopply_webhook_endpoints_disabled": 1,
    }
    make_due()
    work()
    metrics = collect_metrics()
    assert metrics["shopply_webhook_attempts_total delivered"] == 2
    assert metrics["shopply_webhook_lag_seconds"] == 0


def test_receiver_of_the_documentation_takes_each_message_once(receiver, endpoint, capsys):
    receiver.script = [respond(500)]
    ((_, pk),) = make_products(1)
    work()
    make_due()
    work()
    text = (settings.BASE_DIR / "docs/webhooks.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    example = {}
    exec(code, example)  # noqa: S102
    receive, headers, body = example["receive"], receiver.headers[0], Delivery.objects.get().body
    capsys.readouterr()
    assert receive(create_secret(), headers, body) == 400
    assert [receive(endpoint.secret, headers, body) for _ in range(2)] == [204, 204]
    assert capsys.readouterr().out == f"product.created {pk}\n"
