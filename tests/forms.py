"""The form of an admin page, filled and sent as a browser does it."""

from html.parser import HTMLParser

from orders.admin_forms import FORMS
from orders.models import Order


class FormParser(HTMLParser):
    def __init__(self):
        super().__init__()
        self.data, self.select, self.textarea = {}, None, None

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        name, input_type = attrs.get("name"), attrs.get("type")
        if tag == "textarea":
            self.textarea = name
            self.data[name] = [""]
        elif tag == "select":
            self.select = name
        elif tag == "option" and "selected" in attrs:
            self.data.setdefault(self.select, []).append(attrs["value"])
        elif tag == "input" and input_type in ("checkbox", "radio"):
            if "checked" in attrs:
                self.data.setdefault(name, []).append(attrs.get("value", "on"))
        elif tag == "input" and name and input_type != "submit":
            self.data.setdefault(name, []).append(attrs.get("value", ""))

    def handle_data(self, text):
        if self.textarea:
            self.data[self.textarea][0] += text

    def handle_endtag(self, tag):
        if tag == "textarea":
            text = self.data[self.textarea][0].removeprefix("\n")
            self.data[self.textarea] = [text.replace("\n", "\r\n")]
            self.textarea = None


def form_data(response):
    """Return what a browser would send from the form of this page: `{name: [value]}`."""
    page = response.content.decode()
    start = page.index("<form", page.index('id="content-main"'))
    parser = FormParser()
    parser.feed(page[start : page.index("</form>", start)])
    return parser.data


def seen(order_id, name):
    """Return the input by which a form of an order says which version its page showed."""
    form = FORMS[name](order=Order.objects.get(pk=order_id))
    return {form.add_prefix("seen"): form.get_version()}


def submit(browser, path, **changes):
    """Open the form at `path`, change fields ([] clears a checkbox), and send it."""
    return browser.post(path, form_data(browser.get(path)) | changes)
