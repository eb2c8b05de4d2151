"""A bare Django view that returns the shop's recorded responses: the most that Django allows."""

import json
import os
from pathlib import Path

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import re_path

from benchmarks.rows import response_key

RESPONSES = {
    key: (status, body.encode())
    for key, (status, body) in json.loads(Path(os.environ["ANSWERS"]).read_text()).items()
}


def view(request):
    conditional = "If-None-Match" in request.headers
    status, body = RESPONSES[response_key(request.method, request.get_full_path(), conditional)]
    return HttpResponse(body, status=status, content_type="application/json")


urlpatterns = [re_path("", view)]

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"], MIDDLEWARE=[])
application = get_wsgi_application()
