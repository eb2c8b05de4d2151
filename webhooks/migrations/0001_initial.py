"""Endpoints of webhooks, and the log of deliveries."""

import django.db.models.deletion
from django.db import migrations, models

import webhooks.destinations
import webhooks.models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Endpoint",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("epoch", models.UUIDField(editable=False)),
                ("transaction_id", models.BigIntegerField(editable=False)),
                ("change_id", models.BigIntegerField(editable=False)),
                (
                    "url",
                    models.CharField(
                        help_text="Where events are sent, by POST. Its host must be public.",
                        max_length=500,
                        validators=[webhooks.destinations.validate_url],
                        verbose_name="URL",
                    ),
                ),
                ("description", models.CharField(blank=True, max_length=200)),
                ("events", models.JSONField(blank=True, default=list)),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="Otherwise nothing is sent. It goes on where it stopped, as far as the feed is kept.",
                        verbose_name="active",
                    ),
                ),
                (
                    "secret",
                    models.CharField(
                        default=webhooks.models.create_secret, editable=False, max_length=100
                    ),
                ),
                ("previous_secret", models.CharField(blank=True, editable=False, max_length=100)),
                ("secret_replaced", models.DateTimeField(editable=False, null=True)),
                ("created", models.DateTimeField(auto_now_add=True)),
                ("failures", models.PositiveIntegerField(default=0, editable=False)),
                ("failing_since", models.DateTimeField(editable=False, null=True)),
                ("next_attempt", models.DateTimeField(editable=False, null=True)),
                ("disabled_reason", models.CharField(blank=True, editable=False, max_length=200)),
                (
                    "delivered_count",
                    models.PositiveBigIntegerField(
                        default=0, editable=False, verbose_name="delivered"
                    ),
                ),
                (
                    "failed_count",
                    models.PositiveBigIntegerField(
                        default=0, editable=False, verbose_name="failed attempts"
                    ),
                ),
                ("queued_at", models.DateTimeField(editable=False, null=True)),
                ("lease", models.UUIDField(editable=False, null=True)),
                ("leased_until", models.DateTimeField(editable=False, null=True)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("message_id", models.CharField(max_length=60, verbose_name="webhook-id")),
                ("event", models.CharField(max_length=30)),
                ("object_id", models.BigIntegerField(null=True, verbose_name="object")),
                ("body", models.TextField()),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("succeeded", models.BooleanField(default=False)),
                ("status", models.PositiveSmallIntegerField(null=True)),
                (
                    "error",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("forbidden", "address not allowed"),
                            ("unresolved", "unknown host"),
                            ("refused", "connection refused"),
                            ("tls", "TLS failed"),
                            ("timeout", "took over 10 seconds"),
                            ("disconnected", "connection lost"),
                            ("invalid", "not a response of HTTP"),
                        ],
                        max_length=12,
                    ),
                ),
                ("duration", models.PositiveIntegerField(null=True, verbose_name="milliseconds")),
                ("created", models.DateTimeField(auto_now_add=True)),
                ("attempted", models.DateTimeField(null=True, verbose_name="last attempt")),
                (
                    "endpoint",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deliveries",
                        to="webhooks.endpoint",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "deliveries",
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["endpoint", "-id"], name="delivery_by_endpoint"),
                    models.Index(
                        condition=models.Q(("succeeded", False)),
                        fields=["-id"],
                        name="delivery_failed",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("endpoint", "message_id"), name="delivery_once")
                ],
            },
        ),
    ]
