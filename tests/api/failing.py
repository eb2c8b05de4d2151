"""The shop with a page and an endpoint that fail, to test what a server reveals and logs."""

from shopply.wsgi import application  # noqa: F401  (what the server runs; it also sets up Django)

# isort: split
from django.views.generic import RedirectView

from customers.password_reset_pages import PasswordResetConfirmView
from products.views import ProductViewSet


def fail(*args, **kwargs):
    raise RuntimeError("SELECT secret FROM secrets")


RedirectView.get_redirect_url = ProductViewSet.get_queryset = fail
PasswordResetConfirmView.get_user = fail
