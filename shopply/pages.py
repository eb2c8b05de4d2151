"""What Django has for the pages of the admin. The API goes without: it looks at no cookie."""

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler


class PagesOnly:
    def __call__(self, request):
        if request.path_info.startswith("/api/"):
            return self.get_response(request)
        return super().__call__(request)


class Sessions(PagesOnly, SessionMiddleware):
    pass


class Authentication(PagesOnly, AuthenticationMiddleware):
    pass


class Messages(PagesOnly, MessageMiddleware):
    pass


class NoFiles(FileUploadHandler):
    """No form has a file. Django would write one to the disk before anything looks at it."""

    def new_file(self, *args, **kwargs):
        raise RequestDataTooBig("There are no uploads.")
