"""Tasks that failed, found and run again."""

from django_tasks_db.models import DBTaskResult
from selenium.webdriver.support.ui import Select

from shopply.api.tasks import MAX_ATTEMPTS
from tests.tasks import fail, work
from tests.test_tasks import run_due_tasks

TASKS = "django_tasks_database/dbtaskresult"


def test_failed_task_is_found_and_run_again(admin_browser, tmp_path):
    fail.enqueue("alice@example.com", attempt=MAX_ATTEMPTS)
    fail.enqueue("bob@example.com")
    work.enqueue(str(tmp_path / "lines"), "a")
    run_due_tasks()
    admin_browser.open(f"{TASKS}/")
    admin_browser.take_pictures("tasks")
    admin_browser.follow("Failed")
    admin_browser.follow("fail")
    assert "alice@example.com does not exist." in admin_browser.text
    admin_browser.take_pictures("task")
    admin_browser.open(f"{TASKS}/?status__exact=FAILED")
    admin_browser.find(".action-select").click()
    Select(admin_browser.find("select[name=action]")).select_by_visible_text(
        "Run failed tasks again"
    )
    admin_browser.press(admin_browser.find("button[name=index]"))
    assert "1 failed task will run again." in admin_browser.text
    admin_browser.take_pictures("tasks-run-again")
    assert not DBTaskResult.objects.failed().exists()
