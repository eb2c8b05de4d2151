"""Forgotten passwords, from the request for a link to the new password."""

import os
import re
import subprocess
import sys
from contextlib import ExitStack
from threading import Barrier

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from django.conf import settings as django_settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import Permission
from django.contrib.auth.tokens import default_token_generator
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django_tasks_db.models import DBTaskResult
from rest_framework.authtoken.models import Token

from customers import password_reset
from customers.models import hashing
from customers.password_links import password_link
from customers.tasks import mail_password_links
from tests import factories
from tests.contract import ContractClient
from tests.servers import at_once, database_url, free_port

NEW = "my-bee-loud-glade"
REQUEST = "/api/customers/password-reset/"
CONFIRM = "/api/customers/password-reset/confirm/"
ADMIN_REQUEST = "/admin/password_reset/"
LONG = 1_000_000_000  # seconds: no window of that length ends while the tests run


@pytest.fixture(autouse=True)
def no_counts():
    cache.clear()


@pytest.fixture
def smtp():
    """A mail server: its URL, and the mails that it received."""

    class Keep(Message):
        def handle_message(self, message):
            mails.append(message)

    mails = []
    with_port = Controller(Keep(), hostname="127.0.0.1", port=free_port())
    with_port.start()
    yield f"smtp://127.0.0.1:{with_port.port}", mails
    with_port.stop()


@pytest.fixture
def sent(settings, mailoutbox):
    """The mails that were sent. Tasks run as soon as they are enqueued."""
    settings.TASKS = {"default": {"BACKEND": "django_tasks.backends.immediate.ImmediateBackend"}}
    return mailoutbox


def request_link(api, email="alice@example.com", **extra):
    response = api.post(REQUEST, {"email": email}, **extra)
    assert response.status_code == 202
    assert response.content == b""


def confirm(api, link, password=NEW):
    uid, token = re.search(r"/reset/(\w+)/([\w-]+)/", link).groups()
    return api.post(CONFIRM, {"uid": uid, "token": token, "new_password": password})


def path_of(link):
    return link.removeprefix(django_settings.SERVER_URL)


# --- The whole way ------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_forgotten_password_is_replaced_by_the_link_in_a_mail(api, alice, smtp):
    url, mails = smtp
    request_link(api, "Alice@Example.COM")
    subprocess.run(
        [sys.executable, "manage.py", "db_worker", "--batch", "--no-startup-delay"],
        cwd=django_settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": database_url(), "EMAIL_URL": url},
        capture_output=True,
        check=True,
    )
    (mail,) = mails
    assert mail["To"] == "alice@example.com"
    text, html = (part.get_payload(decode=True).decode() for part in mail.get_payload())
    (link,) = re.findall(r"http://\S+/reset/\S+", text)
    assert "User name: alice" in text
    assert f'href="{link}"' in html
    assert confirm(api, link).status_code == 204
    log_in = {"username": "alice", "password": NEW}
    assert api.post("/api/obtain-token/", log_in).status_code == 200


# --- The request --------------------------------------------------------------------------------


def test_request_makes_the_same_queries_whether_or_not_there_is_an_account(api, alice):
    def queries(email):
        request_link(api, email)  # the count of a new address is cleaned up by chance
        with CaptureQueriesContext(connection) as context:
            request_link(api, email)
        return [re.sub(r"'[^']*'|[0-9]+", "?", query["sql"]) for query in context]

    known = queries("alice@example.com")
    assert known == queries("nobody@example.com")
    assert known
    assert not [sql for sql in known if "customers_customer" in sql]


@pytest.mark.parametrize("email", ["alice", "alice@exämple.com", "a@example.com\nBcc: b@c.de", 5])
def test_malformed_address_is_a_400_that_names_the_field(api, db, email):
    response = api.post(REQUEST, {"email": email})
    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == "/email"


def test_nobody_can_have_an_address_mailed_often(api, alice, sent, settings):
    settings.RATES = settings.RATES | {"password_reset": (3, LONG)}
    for number in range(10):  # in any case, and from any network
        email = ("alice@example.com", "ALICE@example.com")[number % 2]
        request_link(api, email, REMOTE_ADDR=f"10.0.0.{number}")
        request_link(api, "nobody@example.com")
    assert len(sent) == 3


def test_requests_are_limited_by_address_of_the_client(api, db, settings):
    settings.RATES = settings.RATES | {"account": (1, LONG)}
    request_link(api)
    assert api.post(REQUEST, {"email": "bob@example.com"}).status_code == 429
    assert api.post(CONFIRM, {"uid": "MQ", "token": "x", "new_password": NEW}).status_code == 429


@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "!disabled"}])
def test_account_that_may_not_log_in_by_password_gets_no_mail(api, alice, sent, change):
    type(alice).objects.filter(pk=alice.pk).update(**change)
    request_link(api)
    assert sent == []


def test_accounts_with_one_address_are_listed_in_one_mail(api, alice, bob, sent):
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX IF EXISTS customer_email_any_case")
    type(bob).objects.filter(pk=bob.pk).update(email=alice.email)
    request_link(api)
    (mail,) = sent
    links = dict(re.findall(r"User name: (\w+)\n(\S+)", mail.body))
    for customer in (alice, bob):
        assert confirm(api, links[customer.username]).status_code == 204
        customer.refresh_from_db()
        assert customer.check_password(NEW)


def test_link_never_has_the_host_of_the_request(api, alice, sent, settings):
    settings.ALLOWED_HOSTS, settings.SERVER_URL = ["*"], "https://api.shop.example/"
    request_link(api, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
    assert "evil" not in str(sent[0].message())
    assert "\nhttps://api.shop.example/reset/" in sent[0].body


def test_link_leads_to_the_page_of_the_shops_own_front_end(alice, sent, settings):
    settings.PASSWORD_RESET_URL = "https://shop.example/#/reset?uid={uid}&token={token}"
    mail_password_links.enqueue([alice.pk])
    link = r"https://shop.example/#/reset\?uid=\w+&token=\w+-\w+"
    assert re.search(rf"^{link}$", sent[0].body, re.MULTILINE)


def test_line_breaks_in_names_add_no_header(alice, sent, settings):
    settings.SHOP_NAME = "Roastery\r\nBcc: eve@example.com"
    type(alice).objects.filter(pk=alice.pk).update(username="alice\nBcc: eve@example.com")
    mail_password_links.enqueue([alice.pk])
    message = sent[0].message()
    assert message["Subject"] == "Roastery Bcc: eve@example.com: set a new password"
    assert "Bcc" not in message
    assert sent[0].recipients() == ["alice@example.com"]


@pytest.mark.django_db(transaction=True)
def test_tasks_that_are_tried_for_long_hold_no_address(api, alice, settings):
    class Refuse(Message):
        def handle_message(self, message):
            raise AssertionError

        async def handle_RCPT(self, server, session, envelope, address, options):
            return f"550 {address} is unknown"

    server = Controller(Refuse(), hostname="127.0.0.1", port=free_port())
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    request_link(api)
    mail_password_links.enqueue([alice.pk], attempt=16)
    call_command("db_worker", batch=True, startup_delay=False, interval=0, verbosity=0)
    server.stop()
    failed = DBTaskResult.objects.get(status="FAILED")
    assert "MailNotSent: SMTPRecipientsRefused" in failed.traceback
    waiting = DBTaskResult.objects.get(status="READY")
    assert waiting.args_kwargs == {"args": [[alice.pk]], "kwargs": {"attempt": 2}}
    unfinished = DBTaskResult.objects.exclude(status="SUCCESSFUL")
    assert "alice@" not in str([*unfinished.values()])


# --- The new password ---------------------------------------------------------------------------


def test_new_password_revokes_the_token(api, as_alice, alice):
    assert confirm(api, password_link(alice)).status_code == 204
    assert as_alice.get("/api/customers/me/").status_code == 401
    assert not Token.objects.exists()
    alice.refresh_from_db()
    assert alice.check_password(NEW)


def test_new_password_ends_the_sessions_of_the_admin(api, client, clerk):
    client.force_login(clerk)
    assert client.get("/admin/").status_code == 200
    assert confirm(api, password_link(clerk)).status_code == 204
    assert client.get("/admin/").status_code == 302


def spoil(link, bob):
    """Yield uids and tokens of links that open nothing."""
    uid, token = re.search(r"/reset/(\w+)/([\w-]+)/", link).groups()
    other = re.search(r"/reset/(\w+)/", password_link(bob))[1]
    for wrong in (other, "MTIz", "_", "LTE", "4LmR", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5"):
        yield wrong, token
    for wrong in ("x", "set-password", f"{token}x", "1-2-3", token.partition("-")[0], "é-é"):
        yield uid, wrong


def test_link_that_was_never_valid_is_a_400(api, alice, bob, settings):
    for uid, token in spoil(password_link(alice), bob):
        response = api.post(CONFIRM, {"uid": uid, "token": token, "new_password": NEW})
        assert (response.status_code, response.json()["code"]) == (400, "invalid_link"), uid
    for customer in (alice, bob):
        customer.refresh_from_db()
        assert not customer.check_password(NEW)


def used(api, alice, settings):
    confirm(api, password_link(alice))


def expired(api, alice, settings):
    assert settings.PASSWORD_RESET_TIMEOUT == 3600
    settings.PASSWORD_RESET_TIMEOUT = -1


def deactivated(api, alice, settings):
    type(alice).objects.filter(pk=alice.pk).update(is_active=False)


def closed(api, alice, settings):
    alice.close()


def readdressed(api, alice, settings):
    type(alice).objects.filter(pk=alice.pk).update(email="another@example.com")


@pytest.mark.parametrize("spoil_link", [used, expired, deactivated, closed, readdressed])
def test_link_that_is_no_longer_valid_is_a_400(api, alice, settings, spoil_link):
    link = password_link(alice)
    spoil_link(api, alice, settings)
    response = confirm(api, link, "another-bee-loud-glade")
    assert (response.status_code, response.json()["code"]) == (400, "invalid_link")
    alice.refresh_from_db()
    assert not alice.check_password("another-bee-loud-glade")


def test_weak_password_names_the_field_and_leaves_the_link_valid(api, alice):
    link = password_link(alice)
    response = confirm(api, link, "alice@example")
    assert [(error["pointer"], error["code"]) for error in response.json()["errors"]] == [
        ("/new_password", "password_too_similar")
    ]
    assert confirm(api, link).status_code == 204


def test_confirmation_while_all_slots_hash_is_a_503(api, alice, settings):
    link = password_link(alice)
    with ExitStack() as slots:
        for _ in range(settings.BLOCKING_THREADS - 1):
            slots.enter_context(hashing.acquire())
        assert confirm(api, link).status_code == 503
    assert confirm(api, link).status_code == 204


class WaitingHasher(MD5PasswordHasher):
    """Lets no password be stored before both requests have checked their link."""

    algorithm = "waiting"
    barrier = Barrier(2, timeout=20)

    def encode(self, password, salt):
        self.barrier.wait()
        return super().encode(password, salt)


def confirm_at_once(alice, settings):
    link = password_link(alice)
    settings.PASSWORD_HASHERS = [f"{__name__}.WaitingHasher"]
    passwords = (NEW, "another-bee-loud-glade")

    def send(password):
        response = confirm(ContractClient(), link, password)
        connection.close()
        return response.status_code

    return at_once(*(lambda password=password: send(password) for password in passwords))


@pytest.mark.django_db(transaction=True)
def test_one_of_two_confirmations_at_the_same_moment_wins(alice, settings):
    assert sorted(confirm_at_once(alice, settings)) == [204, 400]


@pytest.mark.django_db(transaction=True)
def test_both_would_win_without_the_comparison(alice, settings, monkeypatch):
    unguarded = lambda customer, password: customer.change_password(password)  # noqa: E731
    monkeypatch.setattr(password_reset, "reset_password", unguarded)
    assert confirm_at_once(alice, settings) == [204, 204]


# --- The pages ----------------------------------------------------------------------------------


def set_password(browser, link, password=NEW):
    page = browser.get(path_of(link))
    assert page.status_code == 302
    return browser.post(
        page["Location"], dict.fromkeys(("new_password1", "new_password2"), password)
    )


def test_page_of_the_link_sets_the_password_once(client, alice, settings):
    settings.SHOP_NAME, settings.SHOP_URL = "Roastery", "https://roastery.example/"
    link = password_link(alice)
    done = set_password(client, link)
    assert done["Location"] == "/reset/done/"
    page = client.get(done["Location"]).content.decode()
    assert '<a href="https://roastery.example/">Roastery</a>' in page
    alice.refresh_from_db()
    assert alice.check_password(NEW)
    assert "invalid" in Client().get(path_of(link)).content.decode()


def test_page_neither_shows_nor_sends_the_token(client, alice):
    link = password_link(alice)
    page = client.get(path_of(link), follow=True)
    assert page.redirect_chain == [(re.sub(r"[\w-]+/$", "set-password/", path_of(link)), 302)]
    assert link.split("/")[-2] not in page.content.decode()
    assert page["Referrer-Policy"] == "same-origin"
    assert "no-store" in page["Cache-Control"]
    assert 'value="alice"' in page.content.decode()


def test_page_refuses_a_link_that_another_request_used_meanwhile(client, alice, monkeypatch):
    link, check = password_link(alice), default_token_generator.check_token

    def check_then_use(customer, token):
        is_valid = check(customer, token)
        type(alice).objects.filter(pk=alice.pk).update(password="of another request")
        return is_valid

    page = client.get(path_of(link))
    monkeypatch.setattr(default_token_generator, "check_token", check_then_use)
    passwords = dict.fromkeys(("new_password1", "new_password2"), NEW)
    page = client.post(page["Location"], passwords)
    assert "The password reset link was invalid" in page.content.decode()
    alice.refresh_from_db()
    assert alice.password == "of another request"


def test_forgotten_password_at_the_log_in_to_the_admin_is_mailed(client, clerk, sent):
    type(clerk).objects.filter(pk=clerk.pk).update(email="clerk@example.com")
    assert f'href="{ADMIN_REQUEST}"' in client.get("/admin/login/").content.decode()
    response = client.post(ADMIN_REQUEST, {"email": "clerk@example.com"}, follow=True)
    assert response.redirect_chain == [("/admin/password_reset/done/", 302)]
    assert sent[0].to == ["clerk@example.com"]


def test_requests_at_the_log_in_to_the_admin_are_limited_by_address(client, db, settings):
    settings.RATES = settings.RATES | {"account": (1, LONG)}
    form = {"email": "nobody@example.com"}
    statuses = [client.post(ADMIN_REQUEST, form).status_code for _ in range(2)]
    assert statuses == [302, 429]
    assert DBTaskResult.objects.count() == 1


@pytest.fixture
def link_page(client, clerk):
    """The page where a clerk, who may change customers, has a link sent to one."""
    clerk.user_permissions.set(Permission.objects.filter(content_type__app_label="customers"))
    client.force_login(clerk)
    return lambda customer: f"/admin/customers/customer/{customer.pk}/password_link/"


def test_staff_have_a_link_mailed_to_a_customer_without_a_password(
    client, api, alice, link_page, sent
):
    type(alice).objects.filter(pk=alice.pk).update(password="!of nobody")
    page = client.get(f"/admin/customers/customer/{alice.pk}/change/").content.decode()
    assert f'href="{link_page(alice)}"' in page
    assert "alice@example.com" in client.get(link_page(alice)).content.decode()
    assert client.post(link_page(alice)).status_code == 302
    assert sent[0].to == ["alice@example.com"]
    assert LogEntry.objects.get().change_message == "Sent a link to set a new password."
    assert confirm(api, sent[0].body).status_code == 204


def test_staff_have_no_link_mailed_to_an_account_above_them(client, link_page):
    above = factories.customers.make(is_staff=True)
    assert client.post(link_page(above)).status_code == 403
    assert not DBTaskResult.objects.exists()


@pytest.mark.parametrize("change", [{"is_active": False}, {"email": ""}])
def test_no_link_is_mailed_to_nobody(client, alice, link_page, change):
    type(alice).objects.filter(pk=alice.pk).update(**change)
    assert "no link can be" in client.post(link_page(alice)).content.decode()
    assert not DBTaskResult.objects.exists()
