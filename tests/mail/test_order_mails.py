"""Which mails customers get about their orders, and which they do not."""

from datetime import timedelta
from itertools import cycle

import pytest
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from changes.models import Change, Reader
from mail.feed import MAILS_AT_ONCE, enqueue_mails, make_mails
from mail.models import OrderMail
from orders.models import OrderEvent
from tests import factories
from tests.changes.follower import wait_until_shown
from tests.factories import place
from tests.mail.mail_server import MailServer
from tests.mail.worker import follow_feed, run_tasks, run_worker
from tests.servers import free_port

pytestmark = pytest.mark.django_db(transaction=True)


def subjects():
    run_worker()
    messages, mail.outbox[:] = mail.outbox[:], []
    return [message.subject for message in messages]


def test_customer_gets_a_mail_of_each_event_once(alice, clerk, product):
    order = place(alice, {product: 2})
    assert subjects() == [f"Your order {order.pk}"]
    order.confirm(by=clerk)
    assert subjects() == []
    order.ship(by=clerk, carrier="DHL", tracking_number="17")
    assert subjects() == [f"Your order {order.pk} is on its way"]
    order.undo(by=clerk)
    assert subjects() == []
    order.ship(by=clerk)
    assert subjects() == [f"Your order {order.pk} is on its way"]
    order.deliver(by=clerk)
    order.undo(by=clerk)  # shipped again, but by no new event
    order.write_staff_note("Calls often.")
    assert subjects() == []
    for _ in range(2):
        order.return_items({product.pk: 1}, by=clerk)
        assert subjects() == [f"Your return of order {order.pk}"]


def test_events_that_come_together_are_mailed_each(alice, clerk, product):
    order, cancelled = place(alice, {product: 2}), place(alice, {product: 1})
    cancelled.cancel(by=alice)
    factories.make_transitions(order, ["confirm", "ship", "deliver"], by=clerk)
    order.return_items({product.pk: 1}, by=clerk)
    order.return_items({product.pk: 1}, by=clerk)
    assert sorted(subjects()) == [
        f"Your order {order.pk}",
        f"Your order {order.pk} is on its way",
        f"Your order {cancelled.pk}",
        f"Your order {cancelled.pk} is cancelled",
        *[f"Your return of order {order.pk}"] * 2,
    ]


def test_order_that_is_rolled_back_is_not_mailed(alice, product):
    with transaction.atomic():
        place(alice, {product: 1})
        make_mails()
        transaction.set_rollback(True)
    assert subjects() == []
    assert not OrderMail.objects.exists()


def test_what_happened_before_the_reader_started_is_not_mailed(alice, clerk, product):
    order = place(alice, {product: 2})
    factories.make_transitions(order, ["confirm", "ship"], by=clerk)
    OrderEvent.objects.update(at=timezone.now() - timedelta(hours=1))
    follow_feed()
    OrderMail.objects.all().delete()
    DBTaskResult.objects.all().delete()
    Reader.objects.all().delete()
    Reader.objects.start("mail")
    order.deliver(by=clerk)
    order.write_staff_note("Paid.")
    assert subjects() == []


@pytest.mark.parametrize(
    "change",
    [
        {"order_mails": False},
        {"email": ""},
        pytest.param({"closed": True}, id="account closed"),
    ],
)
def test_customer_who_cannot_or_does_not_want_to_be_mailed_is_not(alice, clerk, product, change):
    order = place(alice, {product: 1})
    follow_feed()  # so that a mail waits, which is not sent either
    if "closed" in change:
        alice.close()
    else:
        alice.update_fields(**change)
    order.cancel(by=clerk)
    assert subjects() == []
    assert not OrderMail.objects.exclude(sent=None)


@pytest.mark.parametrize(
    "off",
    [{"ORDER_MAILS": False}, {"EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend"}],
)
def test_shop_that_turns_mails_on_sends_none_of_before(alice, product, settings, off):
    on = {name: getattr(settings, name) for name in off}
    for values in (off, on):
        for name, value in values.items():
            setattr(settings, name, value)
        order = place(alice, {product: 1})
        sent = subjects()
    assert sent == [f"Your order {order.pk}"]
    assert OrderMail.objects.count() == 1


def test_customer_turns_mails_off_in_the_api(as_alice, alice):
    assert as_alice.get("/api/customers/me/").json()["order_mails"] is True
    response = as_alice.patch("/api/customers/me/", {"order_mails": False})
    assert response.json()["order_mails"] is False
    alice.refresh_from_db()
    assert not alice.order_mails
    response = as_alice.patch("/api/customers/me/", {"order_mails": "perhaps"})
    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == "/order_mails"


def test_shipping_that_was_undone_before_its_mail_left_is_not_mailed(alice, clerk, product):
    order = place(alice, {product: 1})
    factories.make_transitions(order, ["confirm", "ship"], by=clerk)
    order.undo(by=clerk)
    assert subjects() == [f"Your order {order.pk}"]


def test_order_is_placed_while_the_mail_server_is_away(as_alice, product, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    body = {"items": [{"product": product.pk, "quantity": 1}]}
    assert as_alice.post("/api/orders/", body).status_code == 201
    run_worker()
    waiting = DBTaskResult.objects.get(status="READY")
    assert waiting.args_kwargs["kwargs"] == {"attempt": 2}
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    DBTaskResult.objects.update(run_after=timezone.now())
    run_tasks()
    assert len(mail.outbox) == 1
    assert OrderMail.objects.get().sent


@pytest.mark.parametrize("change", [{"order_mails": False}, {"email": ""}])
def test_mail_server_is_not_called_for_mails_that_nobody_wants(alice, product, settings, change):
    place(alice, {product: 1})
    follow_feed()
    alice.update_fields(**change)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()  # nothing listens there
    run_tasks()
    assert DBTaskResult.objects.get().status == "SUCCESSFUL"
    assert not OrderMail.objects.get().sent


def test_mails_leave_by_one_connection_and_one_that_is_refused_holds_up_no_other(
    alice, product, settings
):
    others = factories.customers.make(email=cycle(("a@x.example", "no@x.example")), _quantity=4)
    orders = [place(customer, {product: 1}) for customer in (alice, *others)]
    server = MailServer(refused={"no@x.example"})
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    try:
        run_worker()
        assert [to for to, _ in server.messages] == [[alice.email], *[["a@x.example"]] * 2]
        assert server.connections == 1
        waiting = DBTaskResult.objects.get(status="READY")
        assert waiting.args_kwargs["kwargs"] == {"attempt": 2}
        assert OrderMail.objects.filter(sent=None).count() == 2
        server.refused.clear()
        DBTaskResult.objects.update(run_after=timezone.now())
        run_tasks()
    finally:
        server.stop()
    assert [to for to, _ in server.messages[3:]] == [["no@x.example"]] * 2
    assert OrderMail.objects.exclude(sent=None).count() == len(orders)


def test_slow_mail_server_gets_the_rest_later_before_the_task_counts_as_lost(
    alice, product, settings
):
    for _ in range(3):
        place(alice, {product: 1})
    follow_feed()
    server = MailServer(seconds=0.5)
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    settings.TASK_TIMEOUT = 2
    try:
        run_tasks()
        assert OrderMail.objects.exclude(sent=None).count() == len(server.messages) == 1
        waiting = DBTaskResult.objects.get(status="READY")
        assert waiting.args_kwargs["kwargs"] == {"attempt": 2}
        settings.TASK_TIMEOUT = 120
        DBTaskResult.objects.update(run_after=timezone.now())
        run_tasks()
    finally:
        server.stop()
    assert not OrderMail.objects.filter(sent=None)
    assert len(server.messages) == 3


def test_rush_of_orders_is_mailed_bit_by_bit(alice, product):
    for _ in range(60):
        place(alice, {product: 1})
    wait_until_shown()
    make_mails()
    assert 0 < OrderMail.objects.count() < 60  # so that what else waits has its turn
    make_mails()
    assert OrderMail.objects.count() == 60
    arguments = DBTaskResult.objects.values_list("args_kwargs__args__0", flat=True)
    sizes = [len(pks) for pks in arguments]
    assert max(sizes) <= MAILS_AT_ONCE
    assert sum(sizes) == 60


def test_mail_that_is_sent_again_has_the_same_message_id(alice, product, settings):
    settings.DEFAULT_FROM_EMAIL = "The shop <shop@harbour-coffee.example>"
    place(alice, {product: 1})
    run_worker()
    OrderMail.objects.update(sent=None)  # as if the worker was killed before it noted that
    OrderMail.objects.send()
    OrderMail.objects.send()
    first, second = (message.extra_headers["Message-ID"] for message in mail.outbox)
    assert first == second == f"<{OrderMail.objects.get().message_id}@harbour-coffee.example>"


def test_database_refuses_a_second_mail_of_an_event(alice, product):
    order = place(alice, {product: 1})
    order.cancel(by=alice)
    for event in (None, order.events.get()):
        OrderMail.objects.create(order=order, event=event, name=OrderMail.Name.CANCELLED)
        with pytest.raises(IntegrityError):
            OrderMail.objects.create(order=order, event=event, name=OrderMail.Name.CANCELLED)


def count_reads(function, *arguments):
    with CaptureQueriesContext(connection) as queries:
        function(*arguments)
    return sum(query["sql"].startswith("SELECT") for query in queries)


def test_reads_do_not_grow_with_the_changes(alice, clerk, product):
    def read_changes(count):
        last = Change.objects.latest("pk").pk
        for _ in range(count):
            factories.make_transitions(place(alice, {product: 1}), ["confirm", "ship"], by=clerk)
        return list(Change.objects.filter(pk__gt=last))

    few, many = read_changes(1), read_changes(12)
    assert count_reads(enqueue_mails, few) == count_reads(enqueue_mails, many)
    assert OrderMail.objects.count() == 26


def test_nothing_is_written_or_locked_when_nothing_changed(alice, product):
    place(alice, {product: 1})
    follow_feed()
    with CaptureQueriesContext(connection) as queries:
        make_mails()
    assert {query["sql"].split()[0] for query in queries} == {"SELECT"}
    assert len(queries) <= 6
