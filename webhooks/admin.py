"""Endpoints and the log of deliveries, for superusers: nobody else can be given a permission."""

from django import forms
from django.contrib import admin, messages
from django.utils.html import format_html

from products.admin import ReadOnlyAdminMixin
from webhooks.events import EVENT_NAMES
from webhooks.models import SECRET_OVERLAP, Delivery, Endpoint
from webhooks.tasks import enqueue_test, send_again

MAX_SENT = 100  # messages that one action sends again


class EndpointForm(forms.ModelForm):
    events = forms.MultipleChoiceField(
        choices=[(name, name) for name in EVENT_NAMES],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="Choose none to send all, also those of later releases.",
    )

    class Meta:
        widgets = {"url": forms.TextInput(attrs={"class": "vLargeTextField"})}


@admin.register(Endpoint)
class EndpointAdmin(admin.ModelAdmin):
    form = EndpointForm
    fields = ("url", "description", "events", "is_active")
    state_fields = (
        *("state", "failing_since", "next_attempt", "delivered_count", "failed_count", "created"),
    )
    list_display = ("url", "description", "is_active", "state", "delivered_count", "failed_count")
    list_filter = ("is_active",)
    search_fields = ("url", "description")
    search_help_text = "URL or description"
    ordering = ("pk",)
    list_per_page = 50
    actions = ("send_test", "replace_secret")

    def get_fields(self, request, obj=None):
        return (*self.fields, *self.state_fields) if obj else self.fields

    def get_readonly_fields(self, request, obj=None):
        return self.state_fields if obj else ()

    def has_delete_permission(self, request, obj=None):
        """Only of one whose log is empty, since nothing of the log is lost before its time."""
        is_allowed = super().has_delete_permission(request, obj)
        return is_allowed and obj is not None and not obj.deliveries.exists()

    def save_model(self, request, endpoint, form, change):
        if not change:
            endpoint.start()
        elif {"url", "is_active"} & {*form.changed_data}:
            endpoint.restart()
        super().save_model(request, endpoint, form, change)

    def response_add(self, request, endpoint, post_url_continue=None):
        self.show_secret(request, endpoint)
        return super().response_add(request, endpoint, post_url_continue)

    def show_secret(self, request, endpoint):
        message = "The secret of {}: <code>{}</code> Copy it now: it is not shown again."
        self.message_user(
            request, format_html(message, endpoint, endpoint.secret), messages.WARNING
        )

    @admin.display
    def state(self, endpoint):
        if not endpoint.is_active:
            return endpoint.disabled_reason or "switched off"
        return "failing" if endpoint.failing_since else "working"

    @admin.action(description="Send a test event", permissions=["change"])
    def send_test(self, request, endpoints):
        for endpoint in endpoints[:MAX_SENT]:
            enqueue_test(endpoint)
        self.message_user(request, "The deliveries show the results of the tests.")

    @admin.action(description="Replace the secret", permissions=["change"])
    def replace_secret(self, request, endpoints):
        if len(endpoints) != 1:
            self.message_user(request, "Choose one endpoint.", messages.ERROR)
            return
        endpoint = endpoints[0]
        endpoint.replace_secret()
        self.log_change(request, endpoint, "Replaced the secret.")
        self.show_secret(request, endpoint)
        hours = SECRET_OVERLAP.total_seconds() // 3600
        self.message_user(request, f"For {hours:.0f} hours, the previous secret signs beside it.")


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdminMixin, admin.ModelAdmin):
    list_display = ("created", "endpoint", "event", "object_id", "result", "attempts")
    list_filter = ("succeeded", "endpoint")
    fields = (*list_display, "attempted", "duration", "message_id", "body")
    list_select_related = ("endpoint",)
    search_fields = ("=object_id", "=message_id")
    search_help_text = "Id of the object, or webhook-id"
    ordering = ("-pk",)
    list_per_page = 50
    actions = ("send_again",)

    @admin.display(ordering="succeeded")
    def result(self, delivery):
        if not delivery.attempts:
            return "waiting"
        return delivery.get_error_display() or delivery.status

    @admin.action(description="Send again", permissions=["view"])
    def send_again(self, request, deliveries):
        pks = deliveries.values_list("pk", flat=True)[: MAX_SENT + 1]
        if len(pks) > MAX_SENT:
            self.message_user(request, f"Choose at most {MAX_SENT} at once.", messages.ERROR)
            return
        for pk in sorted(pks):
            send_again.enqueue(pk)
        self.message_user(request, f"Messages to send again: {len(pks)}.", messages.SUCCESS)
