"""What mails look like, in whose language, and that no text of others gets into a header."""

import pytest
from django.core import mail

from mail.models import OrderMail
from orders.models import Order
from shopply.api.mail import MailNotSent, send_mail
from tests import factories
from tests.factories import place

NAMES = OrderMail.Name
HARMFUL = "x\r\nBcc: all@evil.example\r\n\r\n<b>&"


@pytest.fixture
def order(alice):
    coffee = factories.products.make(name="Coffee", price="1234.50")
    return place(alice, {coffee: 2}, reference="PO 17", note="Ring twice.")


def send(order, name, action=None):
    event = action and order.events.filter(action=action).latest("pk")
    OrderMail.objects.create(order=Order.objects.get(pk=order.pk), event=event, name=name).send()
    message = mail.outbox[-1]
    (html,) = message.alternatives
    assert html.mimetype == "text/html"
    return message.subject, message.body, html.content


def test_placed_mail_lists_items_total_reference_and_label(order):
    subject, text, html = send(order, NAMES.PLACED)
    assert subject == f"Your order {order.pk}"
    assert "2 × Coffee: 2469.00 EUR\nTotal: 2469.00 EUR" in text
    label = ["Ada Brandt", "Kattesundet 4", "8000 Aarhus", "Denmark"]
    label[0] = order.shipping_address["name"]
    assert "\n".join(label) in text
    assert "<br>\n".join(label) in html
    for part in (text, html):
        assert "PO 17" in part
        assert "Hello Ada Brandt" in part
        assert "Ring twice" not in part  # text of a stranger, if the address is not the sender's


def test_shipped_mail_has_carrier_number_and_link(order, clerk):
    order.confirm(by=clerk)
    order.ship(by=clerk, carrier="DHL", tracking_number="17&18", note="With a sample.")
    _, text, html = send(order, NAMES.SHIPPED, "ship")
    for part in ("DHL", "With a sample."):
        assert part in text
        assert part in html
    assert "Tracking number: 17&18" in text
    assert order.tracking_url in text
    assert f'href="{order.tracking_url}"' in html


def test_order_to_collect_is_ready_instead_of_on_its_way(alice, clerk, product):
    Order.objects.all().delete()
    order = place(alice, {product: 1})
    Order.objects.update(shipping_address=None)
    factories.make_transitions(order, ["confirm", "ship"], by=clerk)
    subject, text, _ = send(order, NAMES.SHIPPED, "ship")
    assert subject == f"Your order {order.pk} is ready"
    assert "collect it at the shop" in text


def test_cancelled_mail_has_the_reason(order, clerk):
    order.cancel(by=clerk, note="The roaster broke down.")
    _, text, html = send(order, NAMES.CANCELLED, "cancel")
    assert "Reason: The roaster broke down." in text
    assert "The roaster broke down." in html


def test_returned_mail_lists_what_came_back_this_time(order, clerk):
    (item,) = order.item_list
    factories.make_transitions(order, ["confirm", "ship"], by=clerk)
    for damaged in (False, True):
        order.return_items({item.product_id: 1}, by=clerk, damaged=damaged, note="Thanks.")
    _, text, html = send(order, NAMES.RETURNED, "return")
    assert text.count("1 × Coffee") == html.count("1 × Coffee") == 1
    assert "Thanks." in text


@pytest.mark.parametrize("name", [*NAMES.values, "staff_order_placed"])
def test_text_of_others_gets_into_no_header_and_no_markup(order, alice, settings, name):
    settings.SHOP_NAME = HARMFUL
    alice.first_name = order.reference = order.note = HARMFUL
    order.currency, order.carrier = "x\n", HARMFUL
    context = {"order": order, "customer_name": HARMFUL, "address": [HARMFUL]}
    context |= {"event": {"note": HARMFUL}, "returned": [{"name": HARMFUL, "quantity": 1}]}
    order.item_list[0].name = HARMFUL
    send_mail(name, ["alice@example.com"], context)
    headers, _, _ = mail.outbox[-1].message().as_string().partition("\n\n")
    assert "\nBcc" not in headers
    assert "<b>" not in mail.outbox[-1].alternatives[0].content


def test_product_name_with_line_ends_is_one_line_of_a_subject(db):
    product = factories.products.prepare(name=HARMFUL)
    send_mail("staff_sold_out", ["till@shop.example"], {"product": product})
    assert "\n" not in mail.outbox[-1].subject
    assert "\nBcc" not in mail.outbox[-1].message().as_string().partition("\n\n")[0]


def test_address_with_line_ends_is_refused(db):
    product = factories.products.prepare()
    with pytest.raises(MailNotSent, match="BadHeaderError"):
        send_mail("staff_sold_out", ["a@shop.example\nBcc: b@evil.example"], {"product": product})


def test_shop_replaces_a_template(order, settings, tmp_path):
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail/order_placed_subject.txt").write_text("Ahoy {{ order.pk }}")
    (templates,) = settings.TEMPLATES
    settings.TEMPLATES = [templates | {"DIRS": [tmp_path]}]
    assert send(order, NAMES.PLACED)[0] == f"Ahoy {order.pk}"


def test_anymail_sends_by_setting(order, settings):
    settings.EMAIL_BACKEND = "anymail.backends.test.EmailBackend"
    OrderMail.objects.create(order=order, name=NAMES.PLACED).send()
    (message,) = mail.outbox
    parameters = message.anymail_test_params
    assert parameters["to"][0].addr_spec == "alice@example.com"
    assert parameters["subject"] == f"Your order {order.pk}"
    assert "Total" in parameters["text_body"]
