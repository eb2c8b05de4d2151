"""What a WSGI server runs: `gunicorn shopply.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shopply.settings")

application = get_wsgi_application()
