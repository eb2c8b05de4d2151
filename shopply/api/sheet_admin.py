"""Exports of the admin's lists, by django-import-export, whose own exports are made in memory."""

from contextlib import ExitStack

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.http import HttpResponse, StreamingHttpResponse
from django.template.defaultfilters import pluralize
from django.template.response import TemplateResponse
from import_export.admin import ExportMixin
from import_export.formats.base_formats import CSV, XLSX
from import_export.forms import ExportForm
from import_export.resources import ModelResource

from shopply.api.sheets import write_csv, write_xlsx
from shopply.api.slots import Busy, exporting

BATCH_SIZE = 500  # rows that are read at once


class SheetResource(ModelResource):
    """Rows of a model, ordered by id, read in batches."""

    def iter_queryset(self, queryset):
        batch = list(queryset.order_by("pk")[:BATCH_SIZE])
        while batch:
            yield from batch
            batch = list(queryset.order_by("pk").filter(pk__gt=batch[-1].pk)[:BATCH_SIZE])

    def iter_rows(self, queryset):
        """Yield values as they are, which `shopply.api.sheets` formats."""
        fields = self.get_export_fields()
        for instance in self.iter_queryset(queryset):
            yield [field.get_value(instance) for field in fields]


class SheetExportForm(ExportForm):
    def __init__(self, formats, resources, **kwargs):
        super().__init__(formats, resources, **kwargs)
        self.fields["resource"].label = "Rows"
        self.fields["format"].choices = [
            (str(index), file_format().get_title().upper())
            for index, file_format in enumerate(formats)
        ]


class Export:
    """The rows of a sheet. Holds a slot until it is closed, and then logs how many were read.

    Raises Busy.
    """

    def __init__(self, resource, queryset, log_entry):
        self.slot = ExitStack()
        self.slot.enter_context(exporting.acquire())
        self.resource, self.queryset = resource, queryset
        self.log_entry, self.count = log_entry, 0
        log_entry.save()  # already now: a server may be killed half way

    def __iter__(self):
        for row in self.resource.iter_rows(self.queryset):
            self.count += 1
            yield row

    def close(self):
        self.slot.close()
        message = f"Exported {self.count:,} row{pluralize(self.count)}."
        LogEntry.objects.filter(pk=self.log_entry.pk).update(change_message=message)


class CSVStream:
    """The pieces of a CSV. Django closes it when it is sent or the client disconnects."""

    def __init__(self, headers, export):
        self.pieces = write_csv(headers, export)
        self.close = export.close

    def __iter__(self):
        return self.pieces


class SheetExportMixin(ExportMixin):
    """Exports what the list shows, with its filters and search, as CSV (streamed) or XLSX."""

    export_form_class = SheetExportForm
    export_formats = (CSV, XLSX)

    def init_change_list_template(self):
        """Keep the list's own template: `admin/change_list.html` has the links."""
        self.ie_base_change_list_template = None

    def get_export_queryset(self, request):
        try:
            return super().get_export_queryset(request)
        except IncorrectLookupParameters as exc:
            raise BadRequest("The list has no such filter.") from exc

    def export_action(self, request):
        if not self.has_export_permission(request):
            raise PermissionDenied
        queryset = self.get_export_queryset(request)
        resources = self.get_export_resource_classes(request)
        form = self.export_form_class(self.export_formats, resources, data=request.POST or None)
        if form.is_valid():
            try:
                return self.respond(request, queryset, form)
            except ValidationError as exc:
                form.add_error("format", exc)
            except Busy as exc:
                self.message_user(request, str(exc), messages.ERROR)
        context = self.init_request_context_data(request, form)
        context["title"] = f"Export {self.opts.verbose_name_plural}"
        return TemplateResponse(request, [self.export_template_name], context)

    def respond(self, request, queryset, form):
        """Return the sheet. Raises Busy, and ValidationError if it is too long."""
        file_format = self.export_formats[int(form.cleaned_data["format"])]()
        resource_class = self.choose_export_resource_class(form, request)
        resource = resource_class(**self.get_export_resource_kwargs(request))
        log_entry = LogEntry(
            user=request.user,
            content_type=ContentType.objects.get_for_model(self.model),
            object_repr=f"{self.opts.verbose_name_plural} as {file_format.get_title().upper()}",
            action_flag=CHANGE,
            change_message="Began to export.",
        )
        headers = resource.get_export_headers()
        export = Export(resource, queryset, log_entry)
        if file_format.is_binary():
            try:
                response = HttpResponse(write_xlsx(headers, export))
            except Exception:
                export.count = 0  # what was read is not sent
                raise
            finally:
                export.close()
        else:
            response = StreamingHttpResponse(CSVStream(headers, export))
        name = self.get_export_filename(request, queryset, file_format)
        response["Content-Type"] = file_format.get_content_type()
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response
