"""What Django has for the pages of the admin. The API goes without: it looks at no cookie.

So do the probes, which moreover come by address: any Host will do.
"""

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler
from django.middleware.common import CommonMiddleware

PROBES = ("/healthz", "/readyz", "/metrics")


class PagesOnly:
    passed = ("/api/", *PROBES)

    def __call__(self, request):
        if request.path_info.startswith(self.passed):
            return self.get_response(request)
        return super().__call__(request)


class Sessions(PagesOnly, SessionMiddleware):
    pass


class Common(PagesOnly, CommonMiddleware):
    """What the API needs of it is that the Host is one of ours."""

    def __call__(self, request):
        if request.path_info.startswith("/api/"):
            request.get_host()  # raises DisallowedHost
        return super().__call__(request)


class Authentication(PagesOnly, AuthenticationMiddleware):
    pass


class Messages(PagesOnly, MessageMiddleware):
    pass


class NoFiles(FileUploadHandler):
    """No form has a file. Django would write one to the disk before anything looks at it."""

    def new_file(self, *args, **kwargs):
        raise RequestDataTooBig("There are no uploads.")
