"""How gunicorn serves the shop: `gunicorn --config python:shopply.gunicorn shopply.wsgi`.

Its settings, and its answers to what is no proper HTTP and so never gets as far as Django.
"""

import json
import os
import traceback
import uuid

from gunicorn import util
from gunicorn.http import errors, unreader
from gunicorn.workers.sync import SyncWorker

from shopply.api.codes import MEDIA_TYPE, PROBLEMS, problem_document

bind = f"0.0.0.0:{os.environ.get('PORT', 8000)}"
control_socket_disable = True
forwarded_allow_ips = ""


def problem_of(exc):
    """What kept the worker from answering: the code of a problem, and its detail or None."""
    match exc:
        case errors.InvalidResponseHeader() | errors.InvalidResponseHeaderName():
            return "internal_error", None  # the application's, not the client's
        case errors.LimitRequestLine():
            return "uri_too_long", str(exc)
        case errors.LimitRequestHeaders():
            return "headers_too_large", None
        case errors.ExpectationFailed():
            return "expectation_failed", None
        case errors.ParseException():
            return "bad_request", str(exc)
    # The master ends a worker that is silent for too long: perhaps its client was.
    frames = traceback.extract_tb(exc.__traceback__)
    waiting = any(frame.filename == unreader.__file__ for frame in frames)
    return "request_timeout" if waiting else "internal_error", None


class Worker(SyncWorker):
    def handle_error(self, req, client, addr, exc):
        """Answer with a problem; gunicorn's own answers are HTML, and some of them 5xx."""
        (code, detail), request_id = problem_of(exc), uuid.uuid4().hex
        if code == "internal_error":
            self.log.exception("A request failed (request %s)", request_id)
        else:
            self.log.warning("Refused: %s (request %s)", exc, request_id)
        url = f"/api/problems/{code}/"
        body = json.dumps(problem_document(code, url, request_id, detail))
        head = (
            f"HTTP/1.1 {PROBLEMS[code].status} {PROBLEMS[code].title}",
            "Connection: close",
            f"Content-Length: {len(body)}",
            f"Content-Type: {MEDIA_TYPE}",
            f"Date: {util.http_date()}",
            "X-Content-Type-Options: nosniff",
            f"X-Request-ID: {request_id}",
        )
        try:
            util.write_nonblock(client, "\r\n".join((*head, "", body)).encode())
        except OSError:
            self.log.debug("The client is gone.")


worker_class = Worker
