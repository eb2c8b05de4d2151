"""The import of products in the admin: a page with a preview, which is then confirmed.

The views are our own. Those of django-import-export keep the file on the disk of one server, let
whoever knows its name import it, and report success even if nothing could be imported. Between
preview and import the sheet waits in the user's session.
"""

from secrets import token_urlsafe

import tablib
from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.db import transaction
from django.shortcuts import redirect
from django.template.defaultfilters import pluralize
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.utils.text import Truncator
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST
from import_export.admin import ImportMixin

from products.import_resource import ProductImportResource, check_columns
from products.import_sheets import MAX_FILE_SIZE, read_sheet

MAX_BODY_SIZE = MAX_FILE_SIZE + 10_000  # with the other fields
MAX_CHANGES = 2_000  # whose products are locked for about two seconds, LOCK_TIMEOUT's default
SESSION_KEY = "product_sheet"


class SheetForm(forms.Form):
    sheet = forms.FileField(label="Sheet", help_text="CSV or XLSX.")

    def clean_sheet(self):
        dataset = read_sheet(self.cleaned_data["sheet"].read())
        check_columns(dataset.headers)
        return number_rows(dataset)


def number_rows(dataset):
    """Return the rows that are not empty, with a column `row`: their numbers in the sheet."""
    rows = ([*row, number] for number, row in enumerate(dataset, 2) if any(row))
    return tablib.Dataset(*rows, headers=[*dataset.headers, "row"])


class SheetImportMixin(ImportMixin):
    import_template_name = "admin/products/product/import.html"

    @method_decorator(csrf_exempt)
    def import_action(self, request, **kwargs):
        """Accept an upload, in memory. No other view does, and this only from staff who may import.

        As Django documents it: the handlers are set before the form is read, for its token too.
        """
        if not self.has_import_permission(request):
            raise PermissionDenied
        if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BODY_SIZE:
            self.message_user(request, "A sheet has up to 2 MB: divide it.", messages.ERROR)
            return redirect(request.path)
        request.upload_handlers = [MemoryFileUploadHandler(request)]
        return csrf_protect(self.preview)(request)

    def preview(self, request):
        request.session.pop(SESSION_KEY, None)
        form = SheetForm(request.POST or None, request.FILES or None)
        if not form.is_valid():
            return self.render(request, form)
        dataset = form.cleaned_data["sheet"]
        resource = ProductImportResource(request.user)
        result = self.import_dataset(resource, dataset)
        key = None
        if len(resource.changed) > MAX_CHANGES:
            message = f"The sheet changes over {MAX_CHANGES:,} products: divide it."
            form.add_error("sheet", message)
        elif resource.changed and not result.has_validation_errors():
            key = token_urlsafe()
            request.session[SESSION_KEY] = {
                "key": key,
                "headers": dataset.headers,
                "rows": [list(row.values()) for row in resource.changed],
                "versions": resource.versions,
            }
        context = {"result": result, "overlooked": resource.overlooked, "key": key}
        return self.render(request, form, **context)

    @method_decorator(require_POST)
    def process_import(self, request, **kwargs):
        """Import the sheet of the last preview, if it is the one that is confirmed."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        sheet = request.session.get(SESSION_KEY)
        if not sheet or sheet["key"] != request.POST.get("key"):
            message = "This preview is out of date: upload the sheet again."
            self.message_user(request, message, messages.ERROR)
            return redirect("admin:products_product_import")
        dataset = tablib.Dataset(*sheet["rows"], headers=sheet["headers"])
        resource = ProductImportResource(request.user, sheet["versions"], sheet["key"])
        with transaction.atomic():
            result = self.import_dataset(resource, dataset)
            if not result.has_validation_errors():
                self.log_import(request, result)
        del request.session[SESSION_KEY]
        if result.has_validation_errors():
            return self.render(request, SheetForm(), status=409, result=result)
        count = len(resource.changed)
        message = f"{count:,} row{pluralize(count)} imported."
        self.message_user(request, message, messages.SUCCESS)
        return redirect("admin:products_product_changelist")

    def import_dataset(self, resource, dataset):
        is_preview = resource.expecting is None
        result = resource.import_data(
            dataset, dry_run=is_preview, rollback_on_validation_errors=True
        )
        for _, errors in result.row_errors():
            raise errors[0].error  # which is ours, not one of the sheet
        return result

    def log_import(self, request, result):
        content_type = ContentType.objects.get_for_model(self.model)
        LogEntry.objects.bulk_create(
            LogEntry(
                user=request.user,
                content_type=content_type,
                object_id=row.instance.pk,
                object_repr=str(row.instance)[:200],
                action_flag=ADDITION if row.is_new() else CHANGE,
                change_message=Truncator(f"Imported: {summarize(row)}").chars(1000),
            )
            for row in result.rows
        )

    def render(self, request, form, status=200, **context):
        context |= self.admin_site.each_context(request)
        context |= {"title": "Import products", "form": form, "opts": self.opts}
        return TemplateResponse(request, self.import_template_name, context, status=status)


def summarize(row):
    """Return `price 10.00 → 12.50, stock 5 → 17`; of a new product `name Coffee, price 10.00`."""
    return ", ".join(
        f"{column} {after}" if row.is_new() else f"{column} {before} → {after}"
        for column, before, after in row.diff
    )
