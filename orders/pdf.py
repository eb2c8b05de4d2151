"""Printed pages as PDF. Cannot be imported where WeasyPrint or its Pango is missing."""

from urllib.parse import urljoin

from django.contrib.staticfiles import finders
from django.templatetags.static import static
from weasyprint import HTML
from weasyprint.urls import URLFetcher, URLFetcherResponse

STYLESHEET = "orders/print.css"
BASE_URL = "https://shop.invalid/"  # of no server: the name is reserved


class StylesheetFetcher(URLFetcher):
    """Fetches the style sheet of printed pages from its file, and nothing else from anywhere."""

    def fetch(self, url, headers=None):
        if url != urljoin(BASE_URL, static(STYLESHEET)):
            raise ValueError("Only the style sheet is fetched.")
        with open(finders.find(STYLESHEET), "rb") as file:
            return URLFetcherResponse(url, file.read(), {"Content-Type": "text/css"})


def render_pdf(html):
    return HTML(string=html, base_url=BASE_URL, url_fetcher=StylesheetFetcher()).write_pdf()
