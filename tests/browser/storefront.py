"""The storefront in examples/, end to end: in headless Chromium, against a real server.

`make browser` runs this; the suite does not collect it, since it needs Chromium and axe-core.
"""

import re
import threading
from functools import partial
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from orders.models import Order
from products.models import Product
from shopply.management.commands.load_demo import add_picture
from tests import factories
from tests.browser.chromium import WIDTHS, AdminBrowser
from tests.servers import PRODUCTION, Server

STOREFRONT = Path(settings.BASE_DIR, "examples/storefront")
AXE = Path(settings.BASE_DIR, ".tools/clients/node_modules/axe-core/axe.min.js")
COFFEE = "Yirgacheffe Kochere, 250 g"
PASSWORD = "my-bee-loud-glade"
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
NO_CONTENT = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class LossyProxy(ThreadingHTTPServer):
    """Passes requests on to the shop, and loses the responses to the next `losses` orders."""

    def __init__(self):
        self.losses = 0
        self.responses = []  # (method, path, status, headers) of each
        super().__init__(("127.0.0.1", 0), ProxyHandler)


class ProxyHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_request(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        shop = HTTPConnection("127.0.0.1", self.server.shop.port, timeout=30)
        shop.request(self.command, self.path, body, dict(self.headers))
        response = shop.getresponse()
        content = response.read()
        shop.close()
        call = (self.command, self.path.partition("?")[0])
        self.server.responses.append((*call, response.status, response.headers))
        if call == ("POST", "/api/orders/") and self.server.losses:
            self.server.losses -= 1
            self.close_connection = True
            return
        self.send_response_only(response.status)
        for name, value in response.headers.items():
            if name.lower() not in NO_CONTENT:
                self.send_header(name, value)
        if response.status not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_OPTIONS = handle_request

    def log_message(self, *args):
        pass


class StaticHandler(SimpleHTTPRequestHandler):
    """Serves the storefront, with some texts of its files replaced: `{path: (old, new)}`."""

    edits = {}

    def do_GET(self):
        if self.path not in self.edits:
            return super().do_GET()
        file = Path(self.translate_path(self.path.replace("/", "/index.html", self.path == "/")))
        text, (old, new) = file.read_text(encoding="utf-8"), self.edits[self.path]
        assert old in text
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(file))
        self.end_headers()
        self.wfile.write(text.replace(old, new).encode())

    def log_message(self, *args):
        pass


def serve(server):
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def proxy(transactional_db, demo_shop, media_folder):
    """The demo shop with pictures of the products that are looked at, behind a LossyProxy."""
    for product in Product.objects.order_by("pk")[:14]:
        add_picture(product)
    with LossyProxy() as proxy:
        environment = {
            "DEBUG": "true",
            "LOG_IN_ACCOUNT_RATE": "3/15m",
            "MEDIA_ROOT": str(media_folder),
        }
        proxy.shop = Server(workers=1, **environment).start()
        proxy.url = serve(proxy)
        yield proxy
        proxy.shutdown()
        proxy.shop.stop()


class Storefront(AdminBrowser):
    """Chromium in the storefront."""

    def go(self, address):
        """Open an address, with the page that is there or a new one."""
        self.driver.get(f"{self.url}/#{address}")
        self.settle()

    def settle(self):
        """Wait until the view is there."""
        idle = "return document.querySelector('main').ariaBusy === 'false'"
        WebDriverWait(self.driver, 20).until(lambda driver: driver.execute_script(idle))

    def wait_for(self, text):
        there = "return document.body.innerText.includes(arguments[0])"
        WebDriverWait(self.driver, 20).until(
            lambda driver: driver.execute_script(there, text), text
        )
        self.settle()

    def heading(self, text):
        heading = "return document.querySelector('h1')?.innerText"
        WebDriverWait(self.driver, 20).until(lambda driver: driver.execute_script(heading) == text)
        self.settle()

    def click(self, text):
        """Click the link or the button with this text."""
        path = f"//*[self::a or self::button or self::summary][contains(., '{text}')]"
        self.driver.find_element(By.XPATH, path).click()

    def type_into(self, **values):
        for name, value in values.items():
            field = self.driver.find_element(By.NAME, name)
            field.clear()
            field.send_keys(value)

    def submit(self):
        self.find("main form .primary").click()

    def log_in(self, username="lena", password=factories.PASSWORD):
        self.go("/log-in")
        self.type_into(username=username, password=password)
        self.submit()
        self.wait_for("You are logged in.")

    def put_into_cart(self, product=1, quantity=1):
        self.go(f"/products/{product}")
        self.type_into(quantity=str(quantity))
        self.click("Add to the cart")
        self.wait_for("is in your cart.")

    def check(self, name):
        """Have axe-core look at the view, light and dark, in both widths."""
        self.driver.execute_script(AXE.read_text(encoding="utf-8"))
        run = "axe.run({runOnly: arguments[0]}).then(arguments[1], e => arguments[1](String(e)))"
        for width, size in WIDTHS.items():
            self.driver.set_window_size(*size)
            for scheme in ("light", "dark"):
                features = [{"name": "prefers-color-scheme", "value": scheme}]
                features.append({"name": "prefers-reduced-motion", "value": "reduce"})
                self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
                result = self.driver.execute_async_script(run, RULES)
                violations = [
                    (rule["id"], node["html"], node["failureSummary"])
                    for rule in result["violations"]
                    for node in rule["nodes"]
                ]
                assert violations == [], f"{name}, {width}, {scheme}"
                assert len(result["passes"]) > 10
        self.take_pictures(f"storefront-{name}")

    @property
    def focused(self):
        return self.driver.switch_to.active_element


@pytest.fixture
def edits():
    """What a test changes in the storefront."""
    return {}


@pytest.fixture
def shop(chromium, proxy, edits):
    edits = {"/": ("http://127.0.0.1:8000", proxy.url)} | edits
    handler = type("Handler", (StaticHandler,), {"edits": edits})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=STOREFRONT)) as server:
        storefront = Storefront(chromium, serve(server))
        chromium.get("about:blank")
        chromium.get_log("browser")
        storefront.go("/")
        yield storefront
        log = [entry["message"] for entry in chromium.get_log("browser")]
        chromium.get("about:blank")
        server.shutdown()
    # The browser reports each 4xx and each lost response; anything else is a fault of the page.
    expected = r"Failed to load resource: (the server responded with|net::ERR_)"
    assert [message for message in log if not re.search(expected, message)] == []


@pytest.fixture
def lena(django_user_model, proxy):
    lena = django_user_model.objects.get(username="lena")
    lena.set_password(factories.PASSWORD)
    lena.save()
    return lena


def test_catalogue_is_browsed_by_category_search_and_page(shop, proxy):
    shop.heading("All products")
    assert len(shop.find_all(".products li")) == 12
    width = "return document.querySelector('img.picture').naturalWidth"
    WebDriverWait(shop.driver, 10).until(lambda driver: driver.execute_script(width) == 600)
    shop.check("products")
    shop.click("Next page")
    shop.wait_for("page 2")
    assert shop.focused.tag_name == "h1"

    shop.click("Coffee (")
    shop.heading("Coffee")
    shop.click("Espresso (")
    shop.heading("Espresso")
    current = shop.find(".categories [aria-current=page]").text
    assert current == f"Espresso ({len(shop.find_all('.products li'))})"
    shop.check("category")

    shop.find("#words").send_keys("kochere", Keys.ENTER)
    shop.heading("Search: kochere")
    assert [item.text.split("\n") for item in shop.find_all(".products li")] == [[COFFEE, "€11.90"]]
    shop.click(COFFEE)
    shop.heading(COFFEE)
    assert shop.find(".pictures img").get_attribute("alt") == COFFEE
    shop.check("product")

    shop.driver.back()  # to a list that did not change
    shop.heading("Search: kochere")
    assert proxy.responses[-1][2] == 304 == proxy.responses[-2][2]


def test_customer_registers_orders_and_cancels(shop, proxy, django_user_model):
    shop.put_into_cart(1, 2)
    shop.put_into_cart(14)
    shop.click("Cart (3)")
    shop.heading("Your cart")
    assert "Total: €30.00" in shop.text
    shop.driver.refresh()
    shop.heading("Your cart")
    assert "Cart (3)" in shop.text
    shop.find("[name='items/0/quantity']").send_keys(Keys.UP)
    shop.wait_for("Total: €41.90")
    assert shop.focused.get_attribute("name") == "items/0/quantity"  # of the new view
    shop.click("Log in to order")
    shop.heading("Log in")
    shop.check("log-in")

    shop.find("main").find_element(By.LINK_TEXT, "Register").click()
    shop.heading("Register")
    shop.type_into(username="lena", email="mira@example.com", password="1234567890")
    shop.submit()
    shop.wait_for("This user name is taken.")
    invalid = shop.find_all("[aria-invalid=true]")
    assert [field.get_attribute("name") for field in invalid] == ["username", "password"]
    assert shop.focused == invalid[0]
    shop.check("register")
    address = {"street_1": "Södra Larmgatan 14", "city": "Göteborg", "country": "Sweden"}
    shop.type_into(username="mira", password=PASSWORD, **address)
    shop.submit()
    shop.heading("Your cart")
    assert "Södra Larmgatan 14" in shop.text
    shop.check("cart")

    shop.click("Send it to another address")
    shop.type_into(**{"shipping_address/city": "Ribe", "note": "Ring twice"})
    shop.submit()
    shop.wait_for("This field is required.")
    assert shop.focused.get_attribute("name") == "shipping_address/street_1"
    shop.check("address")
    shop.type_into(
        **{"shipping_address/street_1": "Tøndergade 4", "shipping_address/country": "Denmark"}
    )
    shop.submit()
    shop.wait_for("Thank you.")
    order = Order.objects.get()
    assert (str(order.total_price), order.note) == ("41.90", "Ring twice")
    assert order.shipping_address["city"] == "Ribe"
    assert "Cart (0)" in shop.text
    assert shop.focused.text == f"Order {order.pk}"
    shop.check("order")

    admin = django_user_model.objects.get(username="admin")
    order.confirm(by=admin)
    order.ship(by=admin, carrier="DHL", tracking_number="00340434161094042557")
    shop.driver.refresh()
    shop.wait_for("Parcel: DHL 00340434161094042557")
    assert shop.find_all("details") == []

    shop.put_into_cart(1)
    shop.click("Cart (1)")
    shop.wait_for("Order for €11.90")
    shop.submit()
    shop.wait_for("Thank you.")
    shop.click("Cancel this order")
    shop.type_into(note="Ordered twice")
    shop.click("Cancel the order")
    shop.wait_for("is cancelled")
    assert "“Ordered twice”" in shop.text
    shop.click("Orders")
    shop.heading("Your orders")
    assert [row.text for row in shop.find_all(".lines .status")] == ["cancelled", "shipped"]
    shop.check("orders")
    shop.click("Log out")
    shop.wait_for("You are logged out.")
    shop.go(f"/orders/{order.pk}")
    shop.heading("Log in")


def order_without_a_response(shop, proxy):
    """Order while the first response is lost, and return the headers of all of them."""
    shop.log_in()
    shop.put_into_cart()
    proxy.losses = 1
    shop.go("/cart")
    shop.wait_for("Order for €11.90")
    shop.submit()
    shop.wait_for("Thank you.")
    return [entry[3] for entry in proxy.responses if entry[:2] == ("POST", "/api/orders/")]


def test_order_whose_response_is_lost_is_placed_once(shop, lena, proxy):
    headers = order_without_a_response(shop, proxy)
    assert [header.get("Idempotent-Replayed") for header in headers] == [None, "true"]
    assert Order.objects.count() == 1


@pytest.mark.parametrize("edits", [{"/api.js": ('headers.set("Idempotency-Key", key)', "{}")}])
def test_without_its_key_it_is_placed_twice(shop, lena, proxy):
    """The control."""
    order_without_a_response(shop, proxy)
    assert Order.objects.count() == 2


def test_order_is_finished_after_a_reload_and_a_crash_of_the_server(shop, lena, proxy):
    shop.log_in()
    shop.put_into_cart()
    proxy.losses = 100  # all attempts, of which the browser adds some of its own
    shop.go("/cart")
    shop.wait_for("Order for €11.90")
    shop.submit()
    shop.heading("Your order is not confirmed")
    shop.check("unfinished")
    proxy.losses = 0
    proxy.shop.kill()
    proxy.shop.start()
    shop.driver.refresh()
    shop.go("/cart")
    shop.heading("Your order is not confirmed")
    shop.click("Try again")
    shop.wait_for("Thank you.")
    assert Order.objects.get().items.get().quantity == 1
    assert "Cart (0)" in shop.text


def test_what_is_out_of_stock_is_offered_as_far_as_it_is_there(shop, lena, proxy):
    shop.log_in()
    shop.put_into_cart(1)
    shop.put_into_cart(9, 3)
    shop.go("/cart")
    shop.wait_for("Order for")
    factories.place(lena, {Product.objects.get(pk=9): 1})  # somebody is faster
    shop.submit()
    shop.wait_for("Take what is available")
    quantity = shop.find("[aria-invalid]")
    assert quantity.get_attribute("name") == "items/1/quantity"
    error = shop.driver.find_element(By.ID, quantity.get_attribute("aria-describedby").split()[1])
    assert "only 2 left" in error.text
    shop.check("out-of-stock")
    shop.click("Take what is available")
    shop.wait_for("Your cart has what the shop can supply.")
    shop.submit()
    shop.wait_for("Thank you.")
    order = Order.objects.latest("pk")
    assert [*order.items.values_list("product", "quantity")] == [(1, 1), (9, 2)]


def test_changed_price_is_shown_before_it_is_paid(shop, lena, proxy):
    shop.log_in()
    shop.put_into_cart()
    shop.go("/cart")
    shop.wait_for("Order for €11.90")
    Product.objects.get(pk=1).update_fields(price="12.50")
    shop.submit()
    shop.wait_for("Order for €12.50")
    assert not Order.objects.exists()
    assert "Look at the new prices" in shop.text
    shop.check("price-changed")
    shop.submit()
    shop.wait_for("Thank you.")


def get_link(mailoutbox, settings):
    """Have the worker send the mail, and return the link in it."""
    settings.SECRET_KEY = PRODUCTION["SECRET_KEY"]  # which the server has
    call_command("db_worker", batch=True, startup_delay=False, interval=0, verbosity=0)
    (mail,) = mailoutbox
    (link,) = re.findall(r"http://\S+", mail.body)
    return link


def test_address_is_confirmed_by_the_link_of_the_mail(
    shop, proxy, settings, mailoutbox, django_user_model
):
    settings.EMAIL_CONFIRMATION_URL = f"{shop.url}/#/confirm?uid={{uid}}&token={{token}}"
    mira = {"username": "mira", "email": "mira@example.com", "password": PASSWORD}
    proxy.shop.client().call("POST", "/api/customers/", mira)
    shop.driver.get(get_link(mailoutbox, settings))
    shop.heading("Confirm your e-mail address")
    shop.check("confirm")
    shop.submit()
    shop.wait_for("Your e-mail address is confirmed.")
    assert django_user_model.objects.get(username="mira").email_confirmed


def test_forgotten_password_is_set_by_the_link_of_the_mail(shop, lena, settings, mailoutbox):
    settings.PASSWORD_RESET_URL = f"{shop.url}/#/reset?uid={{uid}}&token={{token}}"
    shop.go("/forgotten")
    shop.check("forgotten")
    shop.type_into(email=lena.email)
    shop.submit()
    shop.wait_for("a mail with a link is on its way")
    link = get_link(mailoutbox, settings)
    shop.driver.get(link)
    shop.heading("New password")
    shop.type_into(new_password="1234567890")
    shop.submit()
    shop.wait_for("entirely numeric")
    shop.check("new-password")
    shop.type_into(new_password=PASSWORD)
    shop.submit()
    shop.wait_for("Your password is set.")
    shop.log_in(password=PASSWORD)

    shop.driver.get(link)
    shop.heading("New password")
    shop.type_into(new_password=PASSWORD)
    shop.submit()
    shop.wait_for("link")
    shop.check("used-link")


def test_offline_page_says_so_and_keeps_the_cart(shop, proxy):
    shop.put_into_cart()
    shop.go("/")
    shop.driver.set_network_conditions(offline=True, latency=0, throughput=-1)
    try:
        shop.wait_for("You are offline.")
        shop.click("Cart (1)")
        shop.heading("That did not work")
        shop.check("offline")
    finally:
        shop.driver.delete_network_conditions()
    shop.heading("Your cart")
    assert "You are offline." not in shop.text


def test_too_many_log_ins_have_to_wait(shop, lena, proxy):
    wrong = {"username": "lena", "password": "wrong"}
    for _ in range(3):
        proxy.shop.client().call("POST", "/api/obtain-token/", wrong)
    shop.go("/log-in")
    shop.type_into(username="lena", password=factories.PASSWORD)
    shop.submit()
    shop.wait_for("try again in 1")
    assert not shop.find("main form .primary").is_enabled()


def test_revoked_token_ends_the_log_in(shop, proxy):
    shop.driver.execute_script("localStorage.setItem('token', 'revoked')")
    shop.driver.refresh()
    shop.heading("All products")  # which anyone may see
    assert "Log in" in shop.find("#menu").text
    shop.go("/orders")
    shop.wait_for("Please log in to go on.")


def test_keyboard_skips_to_the_content(shop, lena):
    shop.find("body").send_keys(Keys.TAB)
    assert shop.focused.text == "Skip to the content"
    shop.focused.send_keys(Keys.ENTER)
    assert shop.focused.get_attribute("id") == "main"


def test_data_never_becomes_html(shop, proxy):
    Product.objects.get(pk=1).update_fields(name="<img src=x onerror=alert(1)>")
    shop.go("/products/1")
    shop.heading("<img src=x onerror=alert(1)>")
    sources = [path.read_text(encoding="utf-8") for path in STOREFRONT.glob("*.js")]
    assert not re.search("innerHTML|outerHTML|insertAdjacentHTML|eval", "".join(sources))


def test_storefront_stays_small():
    files = [path for path in STOREFRONT.iterdir() if path.name != "schema.d.ts"]
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files) < 900
