"""Lint the OpenAPI document, generate clients that buy from a real server, check the storefront.

`make clients` runs this after it has installed the tools into .tools/clients. The suite does not
collect it, since it needs Node.js and a JDK.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

from tests.servers import Server

PROGRAMS = Path(__file__).parent
STOREFRONT = Path(settings.BASE_DIR, "examples/storefront")
TOOLS = Path(settings.BASE_DIR, ".tools/clients")
(JAR,) = TOOLS.glob(".venv/lib/*/site-packages/openapi_generator_cli/*.jar")
# What its clients in Java need beside the JDK: the jar holds Jackson too.
NAMES = ("geronimo-annotation-1.3-spec", "httpmime", "httpcore")
CLASSPATH = ":".join([str(JAR), *(f"/usr/share/java/{name}.jar" for name in NAMES)])
ENVIRONMENT = os.environ | {
    "PATH": f"{TOOLS}/node_modules/.bin:{TOOLS}/.venv/bin:{os.environ['PATH']}",
    "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
    "REDOCLY_TELEMETRY": "off",
}


@pytest.fixture
def run(client, tmp_path):
    """Run a command in a folder with the document and the programs; fail if it does."""
    document = client.get("/api/schema/", headers={"Accept": "application/vnd.oai.openapi+json"})
    (tmp_path / "openapi.json").write_bytes(document.content)
    shutil.copytree(PROGRAMS, tmp_path, dirs_exist_ok=True)
    (tmp_path / "node_modules").symlink_to(TOOLS / "node_modules")

    def run(*command):
        subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, check=True)

    return run


@pytest.fixture
def url(transactional_db, demo_shop):
    """The URL of the demo shop, on a server as in production."""
    server = Server(workers=1).start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


def test_redocly_finds_nothing(run):
    run("redocly", "lint", "--config", "redocly.yaml", "openapi.json")


def test_spectral_finds_nothing(run):
    run("spectral", "lint", "--ruleset", "spectral.yaml", "--fail-severity", "hint", "openapi.json")


def test_typescript_client_buys(run, url):
    run("openapi-typescript", "openapi.json", "--output", "schema.d.ts")
    run("tsc")
    run("node", "buy.js", url)


def test_storefront_calls_the_api_as_the_document_says(run, tmp_path):
    shutil.copytree(STOREFRONT, tmp_path / "storefront")
    run("openapi-typescript", "openapi.json", "--output", "storefront/schema.d.ts")
    run("tsc", "--project", "storefront.json")
    checkout = tmp_path / "storefront/checkout.js"
    checkout.write_text(checkout.read_text(encoding="utf-8").replace("expected_total:", "sum:"))
    with pytest.raises(subprocess.CalledProcessError):  # the control
        run("tsc", "--project", "storefront.json")


def test_python_client_buys(run, url):
    options = ("--meta", "none", "--output-path", "shopply_client", "--fail-on-warning")
    run("openapi-python-client", "generate", "--path", "openapi.json", *options)
    run("python", "-m", "compileall", "-q", "shopply_client")
    run("python", "buy.py", url)


def test_java_client_buys(run, url, tmp_path):
    run("java", "-Dlog.level=warn", "-jar", JAR, "generate", "--config", "java.yaml")
    sources = tmp_path.glob("java/src/main/**/*.java")
    run("javac", "-d", "classes", "-classpath", CLASSPATH, *sources, "Buy.java")
    run("java", "-classpath", f"classes:{CLASSPATH}", "Buy", url)
