"""README, SECURITY and the runbook name tests and settings that are there."""

import re
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
NAMES = ("README.md", "SECURITY.md", "deploy/RUNBOOK.md")
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in NAMES}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_every_test_that_is_named_exists(text):
    named = set(re.findall(r"tests/[\w/]+\.py", text))
    assert named
    assert {path for path in named if not (ROOT / path).exists()} == set()


def test_every_setting_of_the_environment_is_told():
    modules = ("settings", "knobs", "gunicorn")
    code = "".join((ROOT / f"shopply/{name}.py").read_text(encoding="utf-8") for name in modules)
    read = set(re.findall(r"""(?:env|Env\(\)|self)(?:\.\w+)?\(\s*['"]([A-Z_]+)['"]""", code))
    assert len(read) >= 25
    assert {name for name in read if f"`{name}`" not in TEXTS["README.md"]} == set()
