"""OPTIONS answers the methods, in `Allow`; the OpenAPI document describes what they take."""

from rest_framework.metadata import BaseMetadata


class NoMetadata(BaseMetadata):
    def determine_metadata(self, request, view):
        return None
