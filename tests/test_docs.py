"""The documents name what exists, and their commands work."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command, get_commands

from shopply.api.problem_types import ERROR_CODES, PROBLEM_TYPES
from shopply.api.schema import PROBLEM, PROBLEM_ERROR
from tests.servers import Server

ROOT = Path(settings.BASE_DIR)
PATHS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
DOCUMENTS = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in PATHS}
CURL = shutil.which("curl")

every_document = pytest.mark.parametrize("name", DOCUMENTS)


def anchors(text):
    """The fragments of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_document
def test_links_lead_somewhere(name):
    text = re.sub(r"^```.*?^```", "", DOCUMENTS[name], flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("https://"):
            continue
        path, _, fragment = target.partition("#")
        page = (ROOT / name).parent / path if path else ROOT / name
        assert page.exists(), target
        if fragment:
            assert fragment in anchors(page.read_text(encoding="utf-8")), target


@every_document
def test_files_that_are_named_exist(name):
    apps = "customers|products|orders|changes|shopply"
    folders = f"{apps}|tests|deploy|docs|examples|fixtures|benchmarks"
    files = set(re.findall(rf"(?<![\w/.])(?:{folders})/[\w/.]+\.\w+\b", DOCUMENTS[name]))
    assert {file for file in files if not (ROOT / file).exists()} == set()


@every_document
def test_commands_exist_and_are_written_as_they_are_typed(name):
    commands = re.findall(r"(\w*) ?\bmanage\.py (\w+)", DOCUMENTS[name])
    assert {command for _, command in commands} <= get_commands().keys()
    assert [command for interpreter, command in commands if interpreter != "python"] == []
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"(?:`|^    )make ([a-z-]+)", DOCUMENTS[name], re.MULTILINE)
    assert [target for target in targets if f"\n{target}:" not in makefile] == []


@every_document
def test_tests_that_are_named_exist(name):
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    names = set(re.findall(r"`(test_\w+)`", DOCUMENTS[name]))
    assert {test for test in names if f"def {test}(" not in code} == set()


def test_readme_is_short_and_leads_to_every_document():
    readme = DOCUMENTS["README.md"]
    assert len(readme.splitlines()) <= 180
    assert {name for name in DOCUMENTS if f"({name})" not in readme} == {"README.md"}


def test_every_environment_variable_is_documented():
    code = (ROOT / "shopply/settings.py").read_text(encoding="utf-8")
    names = set(re.findall(r"""(?:env\.\w+|rate|environ(?:\.get)?)[(\[]"([A-Z_]+)\b""", code))
    assert len(names) >= 25
    documented = set(re.findall(r"`([A-Z_]+)`", DOCUMENTS["docs/settings.md"]))
    assert names - documented == set()


def test_every_problem_and_its_members_are_documented():
    errors = DOCUMENTS["docs/api.md"].partition("\n## Errors\n")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d{3}) \|", errors, re.MULTILINE))
    assert rows == {code: str(problem.status) for code, problem in PROBLEM_TYPES.items()}
    members = PROBLEM["properties"].keys() | PROBLEM_ERROR["properties"].keys()
    assert {member for member in members if f"`{member}`" not in errors} == set()


def test_every_code_of_an_error_is_documented():
    codes = DOCUMENTS["docs/api.md"].partition("\n### Codes of errors\n")[2].partition("\n## ")[0]
    assert dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", codes, re.MULTILINE)) == ERROR_CODES


@pytest.mark.parametrize(
    ("language", "program"), [("ts", "buy.ts"), ("python", "buy.py"), ("java", "Buy.java")]
)
def test_generated_clients_are_shown_as_they_are_run(language, program):
    """`make clients` runs the programs."""
    code = dedent_lines((ROOT / "tests/clients" / program).read_text(encoding="utf-8"))
    (block,) = re.findall(
        rf"^```{language}\n(.*?)^```", DOCUMENTS["docs/clients.md"], re.MULTILINE | re.DOTALL
    )
    assert len(block.split("\n")) <= 15
    for paragraph in block.split("\n\n"):
        assert dedent_lines(paragraph.rstrip()) in code


def dedent_lines(text):
    return "\n".join(line.strip() for line in text.splitlines())


def test_changelog_has_the_version_that_the_shop_reports(client):
    (newest, *_) = re.findall(r"^## \[(\d.*?)\]", DOCUMENTS["CHANGELOG.md"], re.MULTILINE)
    assert newest == settings.VERSION == client.get("/healthz").json()["version"]


def curl_commands(name):
    """Yield the curl commands of a document, and whether it shows a problem as the response."""
    lines = iter(DOCUMENTS[name].splitlines(keepends=True))
    for line in lines:
        if not line.strip().startswith("curl "):
            continue
        command = line
        while command.endswith("\\\n") or command.count("'") % 2:
            command += next(lines)
        rest = DOCUMENTS[name].partition(command)[2].lstrip("` \n")
        yield command, rest.startswith('json\n{"type"')


@pytest.mark.skipif(not CURL, reason="no curl is installed")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["README.md", "docs/api.md"])
def test_curl_commands_work_in_the_demo_shop(name, tmp_path):
    """As they are written, but for the port, the token and the number of the order."""
    call_command("loaddata", "customers", "products", verbosity=0)
    heads, shim = tmp_path / "heads", tmp_path / "bin" / "curl"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {CURL} --silent --dump-header {heads} "$@"\n')
    shim.chmod(0o755)
    path = {"PATH": f"{shim.parent}:{os.environ['PATH']}"}
    server, token, order = Server(workers=1).start(), "", ""
    try:
        commands = [*curl_commands(name)]
        assert len(commands) >= 3
        for command, is_problem in commands:
            assert "-w '" in command, command
            script = command.replace(":8000", f":{server.port}").replace("<TOKEN>", token)
            script = script.replace("/orders/1/", f"/orders/{order}/")
            run = subprocess.run(
                ["/bin/sh", "-c", script], cwd=tmp_path, env=path, capture_output=True, text=True
            )
            assert run.returncode == 0, run.stderr
            (status,) = re.findall(r"HTTP/1.1 (\d{3})", heads.read_text())[-1:]
            assert (int(status) >= 400) is is_problem, (command, run.stdout)
            if run.stdout.startswith("{"):
                data = json.loads(run.stdout)
                token = data.get("token") if isinstance(data.get("token"), str) else token
                order = data["id"] if "shipping_address" in data and "id" in data else order
    finally:
        server.stop()
