"""Superusers see the tasks; those that failed they run again, or remove."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.utils import timezone
from django_tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from shopply.api.tasks import MAX_ATTEMPTS
from tests.tasks import fail

TASKS = "/admin/django_tasks_database/dbtaskresult/"


def enqueue(status, **kwargs):
    task = DBTaskResult.objects.get(pk=fail.enqueue("alice@example.com", **kwargs).id)
    task.status = status
    task.save()
    return task


@pytest.fixture
def failed(db):
    task = enqueue(TaskResultStatus.FAILED, attempt=MAX_ATTEMPTS)
    task.run_after = timezone.now() - timedelta(days=1)
    task.save()
    return task


@pytest.fixture
def succeeded(db):
    return enqueue(TaskResultStatus.SUCCESSFUL)


def select(browser, action, *tasks, **form):
    form |= {"action": action, "_selected_action": [str(task.pk) for task in tasks]}
    return browser.post(TASKS, form, follow=True)


def test_failed_tasks_are_found_by_a_filter(in_the_admin, failed, succeeded):
    page = in_the_admin.get(f"{TASKS}?status__exact=FAILED")
    assert [task.pk for task in page.context["cl"].result_list] == [failed.pk]


def test_failed_task_runs_again_as_if_it_were_new(in_the_admin, failed, succeeded):
    page = select(in_the_admin, "run_again", failed, succeeded)
    assert "1 failed task will run again." in page.content.decode()
    assert [*DBTaskResult.objects.ready()] == [failed]
    failed.refresh_from_db()
    assert failed.args_kwargs == {"args": ["alice@example.com"], "kwargs": {}}
    succeeded.refresh_from_db()
    assert succeeded.status == TaskResultStatus.SUCCESSFUL
    assert LogEntry.objects.get().object_id == str(failed.pk)


def test_only_tasks_that_ended_are_removed(in_the_admin, failed, succeeded):
    waiting, running = enqueue(TaskResultStatus.READY), enqueue(TaskResultStatus.RUNNING)
    for task in (failed, waiting, running):
        in_the_admin.post(f"{TASKS}{task.pk}/delete/", {"post": "yes"})
    for task in (succeeded, waiting, running):
        select(in_the_admin, "delete_selected", task, post="yes")
    assert {*DBTaskResult.objects.all()} == {waiting, running}


def test_staff_with_all_permissions_see_no_task(client, clerk, failed):
    clerk.user_permissions.set(Permission.objects.all())
    client.force_login(clerk)
    assert client.get(TASKS).status_code == 403
    assert TASKS not in client.get("/admin/").content.decode()
    assert select(client, "run_again", failed).status_code == 403
