"""OPTIONS responds with `Allow` only; the OpenAPI document describes the methods."""

from rest_framework.metadata import BaseMetadata


class NoMetadata(BaseMetadata):
    def determine_metadata(self, request, view):
        return None
