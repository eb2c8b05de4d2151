"""A bare Django view that answers the bytes that the shop answered: what Django leaves room for."""

import json
import os
from pathlib import Path

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import re_path

from benchmarks.rows import answer_key

ANSWERS = {
    key: (status, body.encode())
    for key, (status, body) in json.loads(Path(os.environ["ANSWERS"]).read_text()).items()
}


def answer(request):
    conditional = "If-None-Match" in request.headers
    status, body = ANSWERS[answer_key(request.method, request.get_full_path(), conditional)]
    return HttpResponse(body, status=status, content_type="application/json")


urlpatterns = [re_path("", answer)]

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"], MIDDLEWARE=[])
application = get_wsgi_application()
