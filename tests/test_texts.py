"""README, SECURITY and the runbook name tests and settings that are there."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands

from shopply.api.schema import PROBLEM

ROOT = Path(settings.BASE_DIR)
NAMES = ("README.md", "SECURITY.md", "deploy/RUNBOOK.md")
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in NAMES}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_every_test_that_is_named_exists(text):
    named = set(re.findall(r"tests/[\w/]+\.py", text))
    assert named
    assert {path for path in named if not (ROOT / path).exists()} == set()


def test_every_setting_of_the_environment_is_told():
    code = (ROOT / "shopply/settings.py").read_text(encoding="utf-8")
    read = set(re.findall(r"""(?:env\.\w+|rate|environ(?:\.get)?)[(\[]"([A-Z_]+)\b""", code))
    assert len(read) >= 25
    assert {name for name in read if f"`{name}`" not in TEXTS["README.md"]} == set()


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_commands_exist_and_are_told_as_they_are_typed(text):
    told = re.findall(r"(\w*) ?\bmanage\.py (\w+)", text)
    assert {name for _, name in told} <= get_commands().keys()
    assert [name for typed, name in told if typed != "python"] == []
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"(?:`|^    )make ([a-z-]+)", text, re.MULTILINE)
    assert [target for target in targets if f"\n{target}:" not in makefile] == []


def test_every_member_of_a_problem_is_told():
    errors = TEXTS["README.md"].partition("**Errors** are")[2].partition("\n## ")[0]
    members = {*PROBLEM["properties"], *PROBLEM["properties"]["errors"]["items"]["properties"]}
    assert {name for name in members if not re.search(rf'[`"]{name}[`"]', errors)} == set()
