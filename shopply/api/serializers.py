"""Bases of all serializers: an unknown member of a body is an error, and not ignored in silence."""

from collections.abc import Mapping
from typing import ClassVar

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from shopply.api.fields import STRICT_FIELD_MAPPING
from shopply.api.spelling import describe_unknown_name

MAX_UNKNOWN_FIELDS = 10  # are reported of one object


class RejectUnknownFieldsMixin:
    """Reports members that the serializer does not have, with the name that was probably meant.

    Read-only members are accepted and change nothing, so that a client can send back what it read;
    so are those of `ignored_fields`, which only the response has.
    """

    ignored_fields = ()
    default_error_messages: ClassVar = {"invalid": "Must be an object."}

    def to_internal_value(self, data):
        errors = self.get_unknown_field_errors(data) if isinstance(data, Mapping) else {}
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as exc:
            raise serializers.ValidationError(exc.detail | errors) from None
        if errors:
            raise serializers.ValidationError(errors)
        return values

    def get_unknown_field_errors(self, data):
        known = [*self.fields, *self.ignored_fields]
        unknown = [name for name in data if name not in known][:MAX_UNKNOWN_FIELDS]
        return {
            name: [ErrorDetail(describe_unknown_name("field", name, known), "unknown_field")]
            for name in unknown
        }


class Serializer(RejectUnknownFieldsMixin, serializers.Serializer):
    pass


def reject_fields(data):
    """Reject any member of a body that has none. Raises ValidationError."""
    Serializer(data=data).is_valid(raise_exception=True)


class ModelSerializer(RejectUnknownFieldsMixin, serializers.ModelSerializer):
    serializer_field_mapping = STRICT_FIELD_MAPPING
