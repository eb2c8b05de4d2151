"""Each timeout ends before the one around it, so clients get an error with its cause."""

import re

import pytest
import yaml
from django.conf import settings

from shopply.server import STOP_TIMEOUT


def seconds(pattern, path):
    """Return the numbers that the pattern matches in a file."""
    text = (settings.BASE_DIR / path).read_text(encoding="utf-8")
    return {int(number) for number in re.findall(pattern, text)}


PROXIES = [
    ("deploy/nginx.conf", r"proxy_read_timeout (\d+)s;"),
    ("deploy/cloudformation.yaml", r"proxy_read_timeout (\d+)s;"),
    (".platform/nginx/conf.d/clients.conf", r"proxy_read_timeout (\d+)s;"),
    ("deploy/kubernetes/ingress.yaml", r"proxy-read-timeout: (\d+)s"),
]


def test_timeouts_of_cache_lock_and_statement_are_in_ascending_order():
    timeouts = (
        settings.CACHE_TIMEOUT,
        settings.QUEUE_PROBE_TIMEOUT,
        settings.DATABASE_PROBE_TIMEOUT,
        settings.LOCK_TIMEOUT,
        settings.STATEMENT_TIMEOUT,
        settings.SQLITE_LOCK_TIMEOUT,
        settings.DATABASE_HOST_TIMEOUT,
    )
    assert list(timeouts) == sorted(set(timeouts))


@pytest.mark.parametrize(("path", "pattern"), PROXIES)
def test_proxy_timeout_is_between_those_of_the_database_and_of_the_stop(path, pattern):
    # The second, where there is one, is for uploads, which are drawn anew.
    timeout, *_ = seconds(pattern, path)
    assert settings.DATABASE_HOST_TIMEOUT < timeout < STOP_TIMEOUT


def test_platforms_let_the_task_of_a_stopping_worker_end():
    """Its longest wait is for a mail server."""
    for path, pattern in (
        ("deploy/kubernetes/worker.yaml", r"terminationGracePeriodSeconds: (\d+)"),
        ("deploy/compose.yaml", r"stop_grace_period: (\d+)s # .*worker"),
        ("deploy/cloudformation.yaml", r"StopTimeout: (\d+) # for its task"),
    ):
        (timeout,) = seconds(pattern, path)
        assert 3 * settings.EMAIL_TIMEOUT < timeout < settings.TASK_TIMEOUT


def test_platforms_do_not_kill_a_server_that_stops_or_is_busy():
    text = (settings.BASE_DIR / "deploy/kubernetes/deployment.yaml").read_text(encoding="utf-8")
    pod = yaml.safe_load(text)["spec"]["template"]["spec"]
    probe = pod["containers"][0]["livenessProbe"]
    assert STOP_TIMEOUT < pod["terminationGracePeriodSeconds"] < 60
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 60
    for path, pattern in (
        ("deploy/cloudformation.yaml", r"UnhealthyThresholdCount: (\d+)"),
        (".ebextensions/shop.config", r"UnhealthyThresholdCount: (\d+)"),
        ("Dockerfile", r"--retries=(\d+)"),
    ):
        (failures,) = seconds(pattern, path)
        assert 10 * failures >= 60
