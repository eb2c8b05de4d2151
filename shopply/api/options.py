"""What OPTIONS answers: the methods, in `Allow`. What they take is in the OpenAPI document."""

from rest_framework.metadata import BaseMetadata


class NoMetadata(BaseMetadata):
    def determine_metadata(self, request, view):
        return None
