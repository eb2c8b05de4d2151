"""Uploads, for the few views that take them: in memory, and within MAX_UPLOAD_SIZE.

A view sets `request.upload_handlers` before the body is read, as Django documents it. All others
keep FILE_UPLOAD_HANDLERS, which rejects files.
"""

from django.core.files.uploadhandler import MemoryFileUploadHandler
from rest_framework import parsers

from shopply.api.exceptions import ProblemException
from shopply.api.parsers import check_form

MAX_UPLOAD_SIZE = 10 * 2**20  # bytes of a body


class UploadHandler(MemoryFileUploadHandler):
    """Django's, which keeps a larger file in memory, too."""

    def handle_raw_input(self, input_data, META, content_length, boundary, encoding=None):
        self.activated = content_length <= MAX_UPLOAD_SIZE


class UploadParser(parsers.MultiPartParser):
    """DRF's, for a body of up to MAX_UPLOAD_SIZE with each field once."""

    def parse(self, stream, media_type=None, parser_context=None):
        headers = parser_context["request"].META
        if "HTTP_TRANSFER_ENCODING" in headers:  # of which the server reads a small part
            raise ProblemException("length_required")
        if int(headers.get("CONTENT_LENGTH") or 0) > MAX_UPLOAD_SIZE:
            detail = f"A request with a file has at most {MAX_UPLOAD_SIZE:,} bytes."
            raise ProblemException("request_too_large", detail)
        parsed = super().parse(stream, media_type, parser_context)
        check_form(parsed.data)
        check_form(parsed.files)
        return parsed
