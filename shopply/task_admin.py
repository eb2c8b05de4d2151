"""The tasks in the admin, for superusers: their arguments may be personal data."""

from django.contrib import admin, messages
from django.template.defaultfilters import pluralize
from django_tasks import TaskResultStatus
from django_tasks_db.admin import DBTaskResultAdmin
from django_tasks_db.models import DBTaskResult

from shopply import task_queue

MAX_RUN_AGAIN = 1_000
FINISHED = (TaskResultStatus.FAILED, TaskResultStatus.SUCCESSFUL)

admin.site.unregister(DBTaskResult)


@admin.register(DBTaskResult)
class TaskAdmin(DBTaskResultAdmin):
    """Read-only, as that of django-tasks-db; what failed can be run again, what ended removed."""

    list_display = ("task_name", "status", "enqueued_at", "display_run_after", "finished_at")
    list_filter = ("status", "enqueued_at")
    actions = ["run_again"]

    def has_module_permission(self, request):
        return request.user.is_superuser

    def has_view_permission(self, request, obj=None):
        return request.user.is_superuser

    def has_delete_permission(self, request, obj=None):
        is_finished = obj is None or obj.status in FINISHED
        return is_finished and request.user.is_superuser

    def has_run_again_permission(self, request):
        return request.user.is_superuser

    @admin.action(permissions=["run_again"], description="Run failed tasks again")
    def run_again(self, request, queryset):
        tasks = task_queue.run_again(queryset, limit=MAX_RUN_AGAIN)
        for task in tasks:
            self.log_change(request, task, "Run again.")
        message = f"{len(tasks)} failed task{pluralize(tasks)} will run again."
        if len(tasks) == MAX_RUN_AGAIN:
            message += " Select the others once more."
        messages.success(request, message) if tasks else messages.warning(request, message)
