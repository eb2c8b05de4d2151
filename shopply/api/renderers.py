"""Answers as JSON."""

import orjson
from rest_framework import renderers


class JSONRenderer(renderers.JSONRenderer):
    """DRF's, written by orjson (benchmark row "own orders, 25": a fifth of the time)."""

    def render(self, data, accepted_media_type=None, renderer_context=None):
        if data is None or ";" in (accepted_media_type or ""):  # `application/json; indent=4`
            return super().render(data, accepted_media_type, renderer_context)
        return orjson.dumps(data, default=self.encoder_class().default, option=orjson.OPT_UTC_Z)
