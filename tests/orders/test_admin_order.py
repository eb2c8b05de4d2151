"""The page of one order in the admin, and the pages that ask before it changes."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.http import urlencode

from customers.models import Customer
from orders import addresses
from orders.admin_forms import FORMS
from orders.models import Order
from tests import factories
from tests.forms import seen

# Sorted as PostgreSQL sorts the keys: by their length first.
SCRAMBLED_ADDRESS = {
    "city": "Hamburg",
    "name": "Lena Vogt",
    "state": "",
    "country": "Germany",
    "street_1": "Elbchaussee 112",
    "street_2": "2. Stock links",
    "postal_code": "22763",
    "contact_number": "+49 40 5550142",
}
LABEL = [
    *("Lena Vogt", "Elbchaussee 112", "2. Stock links", "22763 Hamburg", "Germany"),
    "Phone +49 40 5550142",
]


@pytest.fixture
def order(alice, product):
    return factories.place(alice, {product: 2}, shipping_address=SCRAMBLED_ADDRESS)


@pytest.fixture
def shipped(order, clerk):
    order.confirm(by=clerk)
    order.ship(by=clerk, carrier="DHL", tracking_number="0034")
    return order


def url(order, page="change", filters=""):
    path = f"/admin/orders/order/{order.pk}/{page}/"
    return f"{path}?{urlencode({'_changelist_filters': filters})}" if filters else path


def move(order, name):
    return url(order, f"move/{name}")


def send(browser, order, name, form=None, **kwargs):
    return browser.post(move(order, name), seen(order.pk, name) | (form or {}), **kwargs)


def texts(response):
    """Return the texts on the page, without tags."""
    page = re.sub(r"<(script|style).*?</\1>", "", response.content.decode(), flags=re.DOTALL)
    lines = (unescape(line).strip() for line in re.split(r"<[^>]*>", page))
    return [re.sub(r"\s+", " ", line) for line in lines if line]


def buttons(page):
    """Return the actions that the page of an order offers."""
    return [name for name in FORMS if f"/move/{name}/" in page.content.decode()]


def messages(page):
    return [str(message) for message in page.context["messages"]]


def status(order):
    return Order.objects.get(pk=order.pk).status


class TestAsking:
    def test_page_offers_what_is_possible_now(self, in_the_admin, order, clerk):
        def offered():
            return buttons(in_the_admin.get(url(order)))

        assert offered() == ["confirm", "correct_address", "cancel", "staff_note"]
        order.confirm(by=clerk)
        assert offered() == ["ship", "correct_address", "cancel", "staff_note"]
        order.ship(by=clerk)
        assert offered() == ["deliver", "undo", "return", "staff_note"]
        order.deliver(by=clerk)
        assert offered() == ["undo", "return", "staff_note"]

    @pytest.mark.parametrize("name", ["confirm", "cancel", "correct_address"])
    def test_get_asks_and_changes_nothing(self, in_the_admin, order, name):
        page = in_the_admin.get(move(order, name))
        for text in (str(order), "alice", "2 × " + order.item_list[0].name):
            assert any(text.lower() in line.lower() for line in texts(page))
        assert status(order) == "placed"

    def test_cancelling_says_what_goes_back_into_stock(self, in_the_admin, order, product):
        page = in_the_admin.get(move(order, "cancel"))
        assert f"2 pieces of {product.name} go back into stock." in texts(page)

    @pytest.mark.parametrize("note", ["", "  \r\n "])
    def test_cancelling_requires_a_reason(self, in_the_admin, order, note):
        page = in_the_admin.post(move(order, "cancel"), {"note": note})
        assert page.context["form"].errors == {"note": ["This field is required."]}
        assert status(order) == "placed"

    def test_note_of_a_move_is_kept_for_the_customer(self, in_the_admin, order, as_alice):
        send(in_the_admin, order, "confirm", {"note": "Paid.\r\nThank you."})
        event = as_alice.get(f"/api/orders/{order.pk}/").json()["events"][-1]
        assert event["note"] == "Paid. Thank you."

    @pytest.mark.parametrize("note", ["x" * 501, "a\u202eb", "zero\u200bwidth"])
    def test_refused_note_is_kept_beside_its_error(self, in_the_admin, order, note):
        page = in_the_admin.post(move(order, "cancel"), {"note": note})
        assert page.status_code == 200
        assert "note" in page.context["form"].errors
        assert page.context["form"]["note"].value() == note
        assert status(order) == "placed"

    def test_move_that_is_no_longer_possible_is_refused_with_the_reason(
        self, in_the_admin, order, alice
    ):
        order.cancel(by=alice)
        for page in (
            in_the_admin.post(move(order, "ship"), follow=True),
            in_the_admin.get(move(order, "ship"), follow=True),
        ):
            assert messages(page) == [f"{order}: An order that is cancelled cannot be shipped."]

    def test_order_that_changed_since_the_page_was_shown_is_not_changed(
        self, in_the_admin, order, clerk
    ):
        seen = in_the_admin.get(move(order, "confirm")).context["form"]["seen"].value()
        order.correct_address(SCRAMBLED_ADDRESS | {"street_1": "Elbchaussee 114"}, by=clerk)
        page = in_the_admin.post(move(order, "confirm"), {"seen": seen, "note": "Paid."})
        assert page.status_code == 409
        assert "Elbchaussee 114" in texts(page)
        assert page.context["form"]["note"].value() == "Paid."
        assert status(order) == "placed"
        form = {"seen": page.context["form"]["seen"].value(), "note": "Paid."}
        assert in_the_admin.post(move(order, "confirm"), form).status_code == 302
        assert status(order) == "confirmed"

    @pytest.mark.parametrize("name", ["confirm", "cancel", "correct_address", "staff_note"])
    def test_form_without_the_version_that_its_page_showed_is_refused(
        self, in_the_admin, order, name
    ):
        form = SCRAMBLED_ADDRESS | {"city": "Kiel", "note": "Paid.", "staff-note": "Paid."}
        page = in_the_admin.post(move(order, name), form)
        assert page.status_code == 409
        order.refresh_from_db()
        assert (order.status, order.staff_note) == ("placed", "")
        assert order.shipping_address["city"] == "Hamburg"

    def test_unknown_action_is_not_found(self, in_the_admin, order):
        assert in_the_admin.post(move(order, "delete")).status_code == 404
        assert in_the_admin.get(url(order, "neighbour/last")).status_code == 404


class TestShipping:
    def test_parcel_is_recorded_and_linked(self, in_the_admin, order, clerk):
        order.confirm(by=clerk)
        assert '<option value="DHL">' in in_the_admin.get(move(order, "ship")).content.decode()
        form = {"carrier": "DHL", "tracking_number": "0034"}
        send(in_the_admin, order, "ship", form)
        order.refresh_from_db()
        assert (order.status, order.carrier, order.tracking_number) == ("shipped", *form.values())
        page = in_the_admin.get(url(order)).content.decode()
        assert f'<a href="{order.tracking_url}">DHL 0034</a>' in page

    @pytest.mark.parametrize("name", ["carrier", "tracking_number"])
    def test_invalid_parcel_is_refused(self, in_the_admin, order, clerk, name):
        order.confirm(by=clerk)
        page = in_the_admin.post(move(order, "ship"), {name: "a\u202eb", "note": "Soon."})
        assert list(page.context["form"].errors) == [name]
        assert page.context["form"]["note"].value() == "Soon."

    def test_message_has_a_link_to_undo(self, in_the_admin, order, clerk):
        order.confirm(by=clerk)
        page = send(in_the_admin, order, "ship", follow=True)
        assert move(order, "undo") in messages(page)[0]

    def test_shipping_and_delivery_are_undone(self, in_the_admin, shipped, clerk):
        shipped.deliver(by=clerk)
        for expected in ("shipped", "confirmed"):
            page = send(in_the_admin, shipped, "undo", {"note": "Wrong order."}, follow=True)
            assert page.redirect_chain == [(url(shipped), 302)]
            assert status(shipped) == expected
        assert "Undone: confirmed again" in texts(page)

    def test_undo_of_another_step_than_the_page_showed_is_refused(
        self, in_the_admin, shipped, clerk
    ):
        form = {"seen": in_the_admin.get(move(shipped, "undo")).context["form"]["seen"].value()}
        shipped.deliver(by=clerk)
        assert in_the_admin.post(move(shipped, "undo"), form).status_code == 409
        assert status(shipped) == "delivered"

    def test_undo_is_not_possible_after_a_day(self, in_the_admin, shipped):
        shipped.events.update(at=shipped.modified - timedelta(days=1, minutes=1))
        assert "undo" not in buttons(in_the_admin.get(url(shipped)))
        page = in_the_admin.post(move(shipped, "undo"), follow=True)
        assert "for a day" in messages(page)[0]


class TestAddress:
    def test_order_page_and_asking_pages_show_a_label(self, in_the_admin, order):
        order = Order.objects.get(pk=order.pk)  # as the database returns the keys
        for path in (url(order), move(order, "confirm"), move(order, "cancel")):
            lines = texts(in_the_admin.get(path))
            start = lines.index(LABEL[0])
            assert lines[start : start + len(LABEL)] == LABEL

    def test_list_shows_name_city_and_country(self, in_the_admin, order):
        name = order.shipping_address["name"]
        assert f"{name}, Hamburg, Germany" in texts(in_the_admin.get("/admin/orders/order/"))

    def test_correction_keeps_the_old_address_in_the_events(self, in_the_admin, order):
        form = SCRAMBLED_ADDRESS | {"street_1": "Elbchaussee 114", "note": "As you asked."}
        page = in_the_admin.get(move(order, "correct_address"))
        assert {name: page.context["form"][name].value() for name in addresses.PARTS} == {
            name: SCRAMBLED_ADDRESS[name] for name in addresses.PARTS
        }
        page = send(in_the_admin, order, "correct_address", form, follow=True)
        assert "Elbchaussee 114" in texts(page)
        assert f"Before: {', '.join(LABEL)}" in texts(page)
        assert "As you asked." in texts(page)

    @pytest.mark.parametrize(
        ("part", "text"),
        [("street_1", ""), ("city", " "), ("country", ""), ("name", ""), ("city", "a\u200bb")],
    )
    def test_refused_address_is_kept_beside_its_error(self, in_the_admin, order, part, text):
        form = SCRAMBLED_ADDRESS | {"postal_code": "22765", part: text}
        page = in_the_admin.post(move(order, "correct_address"), form)
        assert list(page.context["form"].errors) == [part]
        assert page.context["form"]["postal_code"].value() == "22765"
        order.refresh_from_db()
        assert order.shipping_address == SCRAMBLED_ADDRESS

    def test_order_to_be_collected_gets_the_address_of_the_profile(
        self, in_the_admin, order, alice
    ):
        Order.objects.update(shipping_address=None)
        assert "None: the customer collects the order." in texts(in_the_admin.get(url(order)))
        form = in_the_admin.get(move(order, "correct_address")).context["form"]
        assert form["street_1"].value() == alice.street_1

    def test_address_of_the_profile_is_for_staff_who_may_view_customers(self, client, clerk, order):
        Order.objects.update(shipping_address=None)
        clerk.user_permissions.set(Permission.objects.filter(codename="change_order"))
        client.force_login(clerk)
        form = client.get(move(order, "correct_address")).context["form"]
        assert not form["street_1"].value()

    def test_two_corrections_at_once_show_both(self, in_the_admin, order, clerk):
        page = in_the_admin.get(move(order, "correct_address"))
        seen = page.context["form"]["seen"].value()
        order.correct_address(SCRAMBLED_ADDRESS | {"street_1": "Elbchaussee 114"}, by=clerk)
        form = SCRAMBLED_ADDRESS | {"street_1": "Elbchaussee 116", "seen": seen}
        page = in_the_admin.post(move(order, "correct_address"), form)
        assert page.status_code == 409
        assert "Elbchaussee 114" in texts(page)
        assert page.context["form"]["street_1"].value() == "Elbchaussee 116"
        order.refresh_from_db()
        assert order.shipping_address["street_1"] == "Elbchaussee 114"


class TestReturn:
    @pytest.fixture
    def shipped(self, alice, clerk, product):
        order = factories.place(alice, {product: 3, factories.products.make(name="Mill"): 1})
        order.confirm(by=clerk)
        order.ship(by=clerk)
        return order

    @pytest.mark.parametrize(("damaged", "stock"), [("no", 99), ("yes", 97)])
    def test_pieces_go_back_into_stock_unless_they_are_damaged(
        self, in_the_admin, shipped, product, damaged, stock
    ):
        form = {f"quantity_{product.pk}": "2", "damaged": damaged, "note": "Too coarse."}
        page = send(in_the_admin, shipped, "return", form, follow=True)
        assert page.redirect_chain == [(url(shipped), 302)]
        product.refresh_from_db()
        assert product.quantity_in_stock == stock
        assert [item.returned for item in shipped.items.all()] == [2, 0]
        cells = re.findall(r'field-returned">\s*<p>(\d+)</p>', page.content.decode())
        assert cells == ["2", "0"]

    @pytest.mark.parametrize("quantity", ["4", "-1", "x", "1.5", "1,5", "1.000", "٣", "9" * 30])
    def test_refused_quantity_is_kept_beside_its_error(
        self, in_the_admin, shipped, product, quantity
    ):
        field = f"quantity_{product.pk}"
        page = in_the_admin.post(move(shipped, "return"), {field: quantity, "damaged": "no"})
        assert list(page.context["form"].errors) == [field]
        assert page.context["form"][field].value() == quantity
        assert [item.returned for item in shipped.items.all()] == [0, 0]

    @pytest.mark.parametrize("form", [{}, {"damaged": "no"}, {"damaged": "x"}])
    def test_return_of_nothing_or_nowhere_is_refused(self, in_the_admin, shipped, form):
        page = in_the_admin.post(move(shipped, "return"), form)
        assert page.status_code == 200
        assert page.context["form"].errors

    def test_form_that_is_sent_twice_books_once(self, in_the_admin, shipped, product):
        seen = in_the_admin.get(move(shipped, "return")).context["form"]["seen"].value()
        form = {f"quantity_{product.pk}": "1", "damaged": "no", "seen": seen}
        statuses = [in_the_admin.post(move(shipped, "return"), form).status_code for _ in "12"]
        assert statuses == [302, 409]
        assert shipped.items.first().returned == 1

    def test_item_that_came_back_wholly_is_not_offered(self, in_the_admin, shipped, product, clerk):
        shipped.return_items({product.pk: 3}, by=clerk)
        page = in_the_admin.get(move(shipped, "return"))
        assert [item.name for item, _ in page.context["form"].lines] == ["Mill"]


class TestStaffNote:
    def test_note_is_saved_for_staff_alone(self, in_the_admin, order, as_alice):
        form = {"staff-seen": "", "staff-note": "Calls often.\r\nBe kind."}
        page = in_the_admin.post(move(order, "staff_note"), form, follow=True)
        assert page.redirect_chain == [(url(order), 302)]
        order.refresh_from_db()
        assert order.staff_note == "Calls often.\nBe kind."
        assert "Be kind" not in as_alice.get(f"/api/orders/{order.pk}/").content.decode()
        form = {"staff-seen": "Calls often.\r\nBe kind.", "staff-note": "Paid."}
        assert in_the_admin.post(move(order, "staff_note"), form).status_code == 302

    def test_notes_of_two_clerks_are_both_shown(self, in_the_admin, order):
        order.write_staff_note("Calls often.")
        form = {"staff-seen": "", "staff-note": "Paid in cash."}
        page = in_the_admin.post(move(order, "staff_note"), form)
        assert page.status_code == 409
        assert "Calls often." in texts(page)
        assert page.context["form"]["note"].value() == "Paid in cash."
        order.refresh_from_db()
        assert order.staff_note == "Calls often."
        form["staff-seen"] = page.context["form"]["seen"].value()
        assert in_the_admin.post(move(order, "staff_note"), form).status_code == 302

    def test_other_changes_of_the_order_do_not_matter(self, in_the_admin, order, clerk):
        form = {"staff-seen": "", "staff-note": "Paid in cash."}
        order.confirm(by=clerk)
        assert in_the_admin.post(move(order, "staff_note"), form).status_code == 302

    def test_note_that_is_too_long_is_kept_beside_its_error(self, in_the_admin, order):
        text = "x" * 2001
        page = in_the_admin.post(move(order, "staff_note"), {"staff-note": text})
        assert "note" in page.context["form"].errors
        assert page.context["form"]["note"].value() == text
        lines = "\r\n".join("x" * 999 for _ in "12")  # as a browser counts them: 1,999
        page = send(in_the_admin, order, "staff_note", {"staff-note": lines})
        assert page.status_code == 302


class TestList:
    FILTERS = "status__exact=placed"

    @pytest.fixture
    def orders(self, alice, bob, product, clerk):
        """The list shows them last first; the second of them is confirmed."""
        orders = [factories.place(alice, {product: 1}) for _ in range(4)]
        orders[2].confirm(by=clerk)
        return orders

    def follow(self, browser, order, side, filters=FILTERS):
        return browser.get(url(order, f"neighbour/{side}", filters))["Location"]

    def test_next_and_previous_order_are_those_of_the_filtered_list(self, in_the_admin, orders):
        first, second, _, last = orders
        follow = self.follow
        assert follow(in_the_admin, last, "next") == url(second, filters=self.FILTERS)
        assert follow(in_the_admin, second, "previous") == url(last, filters=self.FILTERS)
        confirmed = "status__exact=confirmed"  # which neither of them is
        assert follow(in_the_admin, last, "next", confirmed) == url(orders[2], filters=confirmed)
        assert follow(in_the_admin, first, "next") == f"/admin/orders/order/?{self.FILTERS}"

    def test_neighbours_follow_the_order_of_the_list(self, in_the_admin, orders, product):
        by_total = "o=5"
        dear = factories.place(orders[0].customer, {product: 3})
        page = in_the_admin.get("/admin/orders/order/?" + by_total)
        shown = list(page.context["cl"].result_list)
        assert shown[-1] == dear
        for order, neighbour in zip(shown, shown[1:], strict=False):
            there = self.follow(in_the_admin, order, "next", by_total)
            assert there == url(neighbour, filters=by_total)
            back = self.follow(in_the_admin, neighbour, "previous", by_total)
            assert back == url(order, filters=by_total)

    def test_neighbours_follow_a_search(self, in_the_admin, orders, bob, product):
        other = factories.place(bob, {product: 1})
        assert self.follow(in_the_admin, other, "next", "q=bob") == "/admin/orders/order/?q=bob"
        there = self.follow(in_the_admin, other, "next", "q=alice")
        assert there == url(orders[-1], filters="q=alice")

    def test_move_leads_back_to_the_filtered_list(self, in_the_admin, orders):
        page = url(orders[3], "move/confirm", self.FILTERS)
        response = in_the_admin.post(page, seen(orders[3].pk, "confirm"), follow=True)
        assert response.redirect_chain == [(f"/admin/orders/order/?{self.FILTERS}", 302)]
        assert [order.pk for order in response.context["cl"].result_list] == [
            orders[1].pk,
            orders[0].pk,
        ]

    def test_move_leads_to_the_next_order_if_so_chosen(self, in_the_admin, orders):
        for order, target in (
            (orders[3], url(orders[1], filters=self.FILTERS)),
            (orders[1], url(orders[0], filters=self.FILTERS)),
            (orders[0], f"/admin/orders/order/?{self.FILTERS}"),
        ):
            page = url(order, "move/confirm", self.FILTERS)
            form = {"_next": ""} | seen(order.pk, "confirm")
            assert in_the_admin.post(page, form)["Location"] == target

    @pytest.mark.parametrize("name", ["change", "move/cancel", "move/staff_note"])
    def test_every_link_keeps_the_filters(self, in_the_admin, orders, name):
        page = in_the_admin.get(url(orders[3], name, self.FILTERS)).content.decode()
        page = re.sub(r'<nav class="sticky" id="nav-sidebar".*?</nav>', "", page, flags=re.DOTALL)
        links = re.findall(r'(?:href|formaction)="/admin/orders/order/([^"]*)"', page)
        own = [
            link for link in links if link.startswith((f"{orders[3].pk}/", "?status")) or not link
        ]
        assert f"?{self.FILTERS}" in own
        assert [link for link in own if "status__exact" not in link] == []

    @pytest.mark.parametrize(
        "filters",
        [
            *("x=1", "status__exact=x", "created__year=x", "created__gte=x", "p=9999", "o=99.x"),
            *("customer=x", "customer=0", "q=%00", "%=&;[//"),
        ],
    )
    def test_invalid_filters_are_refused_or_tolerated(self, in_the_admin, orders, filters):
        page = url(orders[3], "neighbour/next", filters)
        assert in_the_admin.get(page).status_code in (302, 400)
        page = url(orders[3], "move/confirm", filters)
        response = in_the_admin.post(page, {"_next": ""} | seen(orders[3].pk, "confirm"))
        assert response.status_code in (302, 400)
        moved = status(orders[3]) == "confirmed"
        assert moved is (response.status_code == 302)

    def test_list_of_a_customer_is_shown_as_a_filter(self, in_the_admin, orders, bob, product):
        other = factories.place(bob, {product: 1})
        page = in_the_admin.get(f"/admin/orders/order/?customer={bob.pk}")
        assert [order.pk for order in page.context["cl"].result_list] == [other.pk]
        assert "By customer" in texts(page)
        assert "By customer" not in texts(in_the_admin.get("/admin/orders/order/"))

    @pytest.mark.parametrize("value", ["x", "0", "9" * 30, ""])
    def test_list_of_no_customer_is_refused(self, in_the_admin, orders, value):
        page = in_the_admin.get(f"/admin/orders/order/?customer={value}")
        assert page["Location"] == "/admin/orders/order/?e=1"


class TestCustomer:
    def test_page_shows_their_other_orders_with_count_and_value(
        self, in_the_admin, alice, bob, product
    ):
        *_, last_but_one, order = [factories.place(alice, {product: 1}) for _ in range(8)]
        last_but_one.cancel(by=alice)
        factories.place(bob, {product: 1})
        page = in_the_admin.get(url(order))
        numbers = [other.pk for other in page.context["other_orders"]]
        assert numbers == [order.pk - back for back in (1, 2, 3, 4, 5)]
        assert ": 7 for 87.50 EUR, without cancelled ones." in texts(page)
        assert f"/admin/orders/order/?customer={alice.pk}" in page.content.decode()

    def test_number_of_queries_does_not_grow(self, in_the_admin, alice, clerk):
        def count(products):
            order = factories.place(alice, dict.fromkeys(products, 1))
            order.confirm(by=clerk)
            for number in range(len(products)):
                address = SCRAMBLED_ADDRESS | {"street_1": str(number)}
                order.correct_address(address, by=factories.customers.make(is_staff=True))
            with CaptureQueriesContext(
                connection,
            ) as queries:
                in_the_admin.get(url(order))
            return len(queries)

        products = [factories.products.make() for _ in range(6)]
        count(products[:1])  # the first page of a session reads more
        assert count(products[:1]) == count(products)


class TestPermissions:
    @pytest.fixture
    def browser(self, client, clerk):
        client.force_login(clerk)
        return client

    def grant(self, clerk, *codenames):
        clerk.user_permissions.set(Permission.objects.filter(codename__in=codenames))

    @pytest.mark.parametrize("permission", ["view_order", "change_order"])
    def test_items_and_events_follow_the_permission_of_the_order(
        self, browser, clerk, shipped, product, permission
    ):
        self.grant(clerk, permission)
        page = browser.get(url(shipped))
        for text in (product.name, "Shipped", "Confirmed", "clerk"):
            assert text in texts(page)

    def test_only_who_may_change_orders_changes_them(self, browser, clerk, order):
        self.grant(clerk, "view_order")
        page = browser.get(url(order))
        assert buttons(page) == []
        assert "Staff note:" in texts(page)
        for name in FORMS:
            assert browser.get(move(order, name)).status_code == 403
            assert browser.post(move(order, name)).status_code == 403
        self.grant(clerk, "change_order")
        assert send(browser, order, "confirm").status_code == 302

    def test_links_lead_only_where_the_user_may_go(self, browser, clerk, order, product, alice):
        links = (
            f'href="/admin/products/product/{product.pk}/change/"',
            f'href="/admin/customers/customer/{alice.pk}/change/"',
        )
        self.grant(clerk, "view_order")
        page = browser.get(url(order)).content.decode()
        assert [link in page for link in links] == [False, False]
        self.grant(clerk, "view_order", "view_product", "view_customer")
        page = browser.get(url(order)).content.decode()
        assert [link in page for link in links] == [True, True]

    def test_who_ordered_for_the_customer_is_shown(self, browser, clerk, alice, product):
        order = factories.place(alice, {product: 1}, by=clerk, reference="PO 7")
        self.grant(clerk, "view_order")
        page = texts(browser.get(url(order)))
        assert page[page.index("Placed by:") + 1] == "clerk"
        assert page[page.index("Reference:") + 1] == "PO 7"


def test_event_without_a_user_is_of_the_shop(in_the_admin, order):
    order.events.create(action="cancel", status="cancelled", at=order.created, by=None)
    assert "the shop" in texts(in_the_admin.get(url(order)))


def test_rows_of_earlier_releases_are_shown_by_their_status(in_the_admin, order, clerk):
    for status in ("placed", "confirmed"):
        order.events.create(status=status, at=order.created, by=clerk)
    page = in_the_admin.get(url(order)).content.decode()
    assert re.findall(r'field-event">\s*<p>(\w+)</p>', page) == ["Confirmed"]


def test_texts_are_escaped(in_the_admin, order, clerk, product):
    hostile = "<script>alert(1)</script>"
    order.correct_address(SCRAMBLED_ADDRESS | {"city": hostile}, by=clerk, note=hostile)
    order.items.update(name=hostile, sku=hostile)
    order.write_staff_note(hostile)
    Customer.objects.filter(pk=order.customer_id).update(username=hostile)
    for path in (url(order), move(order, "cancel"), move(order, "staff_note")):
        page = in_the_admin.get(path).content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page
    page = in_the_admin.post(move(order, "cancel"), {"note": ""}).content.decode()
    assert "<script>alert" not in page
