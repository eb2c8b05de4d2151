"""E-mail addresses: confirmed by a link, and kept from their owner by nobody."""

import re
import time
from collections import Counter
from functools import partial
from threading import Barrier

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django_tasks_db.models import DBTaskResult

from customers.email_links import confirm
from customers.links import InvalidLink
from customers.models import Customer, CustomerQuerySet
from customers.tasks import mail_confirmation_link
from tests import factories
from tests.api.test_pages import check
from tests.contract import ContractClient
from tests.forms import submit
from tests.servers import at_once

ADDRESS = "lena@example.com"
DATA = {"username": "lena", "email": ADDRESS, "password": factories.PASSWORD}
ME = "/api/customers/me/"
CONFIRM = "/api/customers/confirm-email/"
SEND = "/api/customers/me/confirm-email/"


@pytest.fixture(autouse=True)
def no_counts():
    cache.clear()


@pytest.fixture
def sent(settings, mailoutbox):
    """The mails that were sent. Tasks run as soon as they are enqueued."""
    settings.TASKS = {"default": {"BACKEND": "django_tasks.backends.immediate.ImmediateBackend"}}
    return mailoutbox


@pytest.fixture
def lena(db):
    """A customer with a confirmed address."""
    return make("lena", email=ADDRESS, email_confirmed=True)


def make(username, **fields):
    customer = factories.customers.make(username=username, **fields)
    customer.change_password(factories.PASSWORD)
    return customer


def change_email(customer, email, **extra):
    body = {"email": email, "current_password": factories.PASSWORD}
    response = ContractClient().as_user(customer).patch(ME, body, **extra)
    customer.refresh_from_db()
    return response


def confirm_by_mail(api, mail):
    """Send what the link in the mail has, as a front end does."""
    uid, token = re.search(r"/confirm-email/(\S+)/(\S+)/", mail.body).groups()
    return api.post(CONFIRM, {"uid": uid, "token": token})


def log_in(api, login):
    """Return the user name of the account that a log-in opens, or None."""
    form = {"username": login, "password": factories.PASSWORD}
    token = api.post("/api/obtain-token/", form).json().get("token")
    return token and Customer.objects.get(auth_token=token).username


# --- Registration -------------------------------------------------------------------------------


def test_registration_mails_a_link_that_confirms_the_address_once(api, sent):
    data = api.post("/api/customers/", DATA).json()
    assert (data["email_confirmed"], data["new_email"]) == (False, None)
    (mail,) = sent
    assert mail.to == [ADDRESS]
    html, _ = mail.alternatives[0]
    assert re.search(r"http://\S+/", mail.body)[0] in html
    assert confirm_by_mail(api, mail).status_code == 204
    assert Customer.objects.get().email_confirmed
    response = confirm_by_mail(api, mail)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_link")


def test_mail_is_a_task_of_the_transaction_that_causes_it_and_holds_no_address(api, monkeypatch):
    api.post("/api/customers/", DATA)
    (task,) = DBTaskResult.objects.all()
    assert task.args_kwargs["args"] == [Customer.objects.get().pk]
    monkeypatch.setattr("customers.serializers.request_link", fail)
    with pytest.raises(ZeroDivisionError):
        api.post("/api/customers/", DATA | {"username": "eve"})
    assert not Customer.objects.filter(username="eve").exists()


def fail(*args):
    raise ZeroDivisionError


def test_mail_has_nothing_that_its_cause_wrote(api, sent):
    """Neither into a header, nor as a text that the shop would send to anyone."""
    words = "Ada\r\nBcc: eve@example.com"
    eve = factories.customers.make(username=words, first_name=words, last_name=words)
    mail_confirmation_link.enqueue(eve.pk)
    (mail,) = sent
    assert mail.recipients() == [eve.email]
    assert mail.message().keys() == [
        *("Content-Type", "MIME-Version", "Subject", "From", "To", "Date", "Message-ID"),
        "Auto-Submitted",
    ]
    assert "Ada" not in mail.message().as_string()


def is_invalid(response):
    return response.status_code == 400 and response.json()["code"] == "invalid_link"


@pytest.mark.parametrize(
    "changes", [{"email": "eve@example.com"}, {"password": "!"}, {"is_active": False}]
)
def test_link_ends_with_the_address_the_password_and_the_account(api, alice, changes):
    params = factories.link_params(alice)
    Customer.objects.filter(pk=alice.pk).update(**changes)
    assert is_invalid(api.post(CONFIRM, params))


def test_altered_link_confirms_nothing(api, alice, bob):
    params = factories.link_params(alice)
    uids = ["M", "é", "LTE", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"]
    for altered in ({"uid": factories.link_params(bob)["uid"]}, {"token": "1:é"}):
        assert is_invalid(api.post(CONFIRM, params | altered))
    assert all(is_invalid(api.post(CONFIRM, params | {"uid": uid})) for uid in uids)
    assert not Customer.objects.filter(email_confirmed=True).exists()


def test_link_is_valid_for_three_days(api, alice, monkeypatch):
    params = factories.link_params(alice)
    three_days = time.time() + 3 * 86_400
    monkeypatch.setattr("time.time", lambda: three_days + 60)
    assert is_invalid(api.post(CONFIRM, params))
    monkeypatch.setattr("time.time", lambda: three_days - 60)
    assert api.post(CONFIRM, params).status_code == 204


def test_link_leads_to_the_front_end_of_the_shop(alice, sent, settings):
    settings.EMAIL_CONFIRMATION_URL = "https://shop.example/#/confirm?uid={uid}&token={token}"
    mail_confirmation_link.enqueue(alice.pk)
    (mail,) = sent
    assert re.search(r"https://shop\.example/#/confirm\?uid=\w+&token=[\w:-]+\n", mail.body)


def test_page_of_the_link_confirms_by_its_button_only(client, alice):
    path = alice.confirmation_link().removeprefix(django_settings.SERVER_URL)
    page = client.get(path)
    check(page)
    alice.refresh_from_db()
    assert "<button>" in page.content.decode()
    assert not alice.email_confirmed
    assert "is confirmed" in client.post(path).content.decode()
    page = client.post(path)
    assert page.status_code == 400
    assert "not valid" in page.content.decode()


# --- Changes ------------------------------------------------------------------------------------


def test_new_address_takes_effect_when_it_is_confirmed_and_the_old_one_is_told(api, lena, sent):
    data = change_email(lena, "new@example.com").json()
    assert (data["email"], data["new_email"]) == (ADDRESS, "new@example.com")
    (mail,) = sent
    assert mail.to == ["new@example.com"]
    assert log_in(api, ADDRESS) == "lena"
    assert confirm_by_mail(api, mail).status_code == 204
    lena.refresh_from_db()
    assert (lena.email, lena.new_email, lena.email_confirmed) == ("new@example.com", "", True)
    assert sent[1].to == [ADDRESS]
    assert "user name lena has another" in sent[1].body


def test_address_that_was_never_confirmed_is_replaced_at_once(alice, sent):
    for customer in (alice, make("root", email="")):
        new = f"{customer.username}@example.org"
        customer.change_password(factories.PASSWORD)
        assert change_email(customer, new).json()["email"] == new
        assert customer.new_email == ""
    assert [mail.to for mail in sent] == [["alice@example.org"], ["root@example.org"]]


def test_new_password_ends_a_change_that_somebody_else_began(api, lena, sent):
    change_email(lena, "eve@example.com")
    lena.change_password("my-bee-loud-glade")
    assert lena.new_email == ""
    assert confirm_by_mail(api, sent[0]).status_code == 400


def test_closing_erases_the_new_address_too(lena):
    change_email(lena, "new@example.com")
    lena.close()
    lena.refresh_from_db()
    assert (lena.email, lena.new_email, lena.email_confirmed) == ("", "", False)


def test_link_is_sent_again_but_not_often(api, lena, sent, settings):
    settings.RATES = settings.RATES | {"email_confirmation": (3, 1_000_000_000)}
    as_lena = api.as_user(lena)
    assert as_lena.post(SEND).json()["code"] == "nothing_to_confirm"
    change_email(lena, "new@example.com")
    assert [as_lena.post(SEND).status_code for _ in range(3)] == [202, 202, 429]
    assert [mail.to for mail in sent] == [["new@example.com"]] * 3
    # Nobody uses up the links of an owner, who is at another network.
    assert as_lena.post(SEND, REMOTE_ADDR="10.0.0.7").status_code == 202


# --- An address and its owner -------------------------------------------------------------------


def test_unconfirmed_account_does_not_keep_the_address_from_its_owner(api, sent):
    make("eve", email="Lena@example.com")
    make("mallory", email="m@example.com", email_confirmed=True, new_email=ADDRESS)
    assert api.post("/api/customers/", DATA).status_code == 201
    assert confirm_by_mail(api, sent[-1]).status_code == 204
    claims = Customer.objects.order_by("pk").values_list("username", "email", "new_email")
    assert [*claims] == [("eve", "", ""), ("mallory", "m@example.com", ""), ("lena", ADDRESS, "")]
    assert log_in(api, ADDRESS) == "lena"


def test_user_name_does_not_keep_the_address_from_its_owner(api, lena):
    make(ADDRESS, email="eve@example.com")
    assert log_in(api, ADDRESS) == "lena"
    assert log_in(api, "eve@example.com") == ADDRESS


def test_nobody_locks_others_out_by_having_their_address(api, sent):
    """Neither with a newer account, nor with an older one that changes to it."""
    eve = make("eve", email="eve@example.com")
    make("lena", email=ADDRESS)
    make("mallory", email=ADDRESS)
    data = change_email(eve, ADDRESS).json()
    assert (data["email"], data["new_email"]) == ("eve@example.com", ADDRESS)
    assert log_in(api, ADDRESS) == "lena"
    assert log_in(api, "eve@example.com") == "eve"


def test_filter_finds_everyone_with_the_address(as_clerk):
    make("eve", email="Lena@example.com")
    make("lena", email=ADDRESS)
    customers = as_clerk.get(f"/api/customers/?email={ADDRESS}").json()
    assert [customer["username"] for customer in customers] == ["eve", "lena"]


def outcome(call, params):
    try:
        call(**params)
    except (InvalidLink, DatabaseError) as exc:
        return type(exc).__name__
    else:
        return "confirmed"
    finally:
        connection.close()


def confirm_twice_at_once(call=confirm):
    """Have two accounts confirm one address; return the outcomes."""
    Customer.objects.all().delete()
    links = map(factories.link_params, factories.customers.make(email=ADDRESS, _quantity=2))
    return Counter(at_once(*[partial(outcome, call, params) for params in links]))


@pytest.mark.django_db(transaction=True)
def test_one_of_two_confirmations_at_once_wins():
    for _ in range(5):
        assert confirm_twice_at_once() == {"confirmed": 1, "InvalidLink": 1}
        assert Customer.objects.filter(email=ADDRESS).get().email_confirmed


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_and_the_check_none_gets_a_clear_error(monkeypatch):
    """What is left is the constraint of the database, or a deadlock.

    On SQLite the lock is the transaction around both reads, which `confirm` begins.
    """
    start, check_link = Barrier(2), Customer._check_link
    checked = set()

    def check_when_both_have_read(customer, token):
        if customer.pk not in checked:
            checked.add(customer.pk)
            start.wait(timeout=10)
        check_link(customer, token)

    monkeypatch.setattr(Customer, "_check_link", check_when_both_have_read)
    monkeypatch.setattr(Customer, "_lock_claimants", lambda customer: None)
    monkeypatch.setattr(CustomerQuerySet, "with_confirmed_email", lambda rows, email: rows.none())
    outcomes = confirm_twice_at_once(Customer.confirm_email)
    assert outcomes["confirmed"] == 1
    assert outcomes["InvalidLink"] == 0


# --- The admin ----------------------------------------------------------------------------------


def page_of(customer):
    return f"/admin/customers/customer/{customer.pk}/change/"


def test_address_that_staff_enter_has_effect_at_once_and_is_not_confirmed(in_the_admin, lena, sent):
    assert submit(in_the_admin, page_of(lena), email="new@example.com").status_code == 302
    lena.refresh_from_db()
    assert (lena.email, lena.email_confirmed) == ("new@example.com", False)
    assert {mail.to[0]: mail.subject for mail in sent} == {
        "new@example.com": "The shop: confirm your e-mail address",
        ADDRESS: "The shop: your e-mail address was changed",
    }


def test_staff_confirm_an_address_which_others_lose(in_the_admin, sent):
    eve, lena = (make(name, email=ADDRESS) for name in ("eve", "lena"))
    assert submit(in_the_admin, page_of(lena), email_confirmed="on").status_code == 302
    for customer in (eve, lena):
        customer.refresh_from_db()
    assert (eve.email, lena.email, lena.email_confirmed) == ("", ADDRESS, True)
    assert not sent
    response = submit(in_the_admin, page_of(eve), email_confirmed="on")
    assert response.context["adminform"].form.errors.keys() == {"email_confirmed"}


def test_account_that_staff_add_gets_a_link(in_the_admin, sent):
    fields = {"password1": factories.PASSWORD, "password2": factories.PASSWORD}
    for model, name in (("customer", "dora"), ("staff", "ida")):
        data = fields | {"username": name, "email": f"{name}@example.com"}
        data |= {"usable_password": "true"} if model == "customer" else {}
        assert in_the_admin.post(f"/admin/customers/{model}/add/", data).status_code == 302
    assert [mail.to for mail in sent] == [["dora@example.com"], ["ida@example.com"]]
