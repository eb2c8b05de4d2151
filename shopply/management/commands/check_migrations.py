import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from django.apps import apps
from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.db import ConnectionHandler, OperationalError
from django.db.backends.postgresql.schema import DatabaseSchemaEditor
from django.db.migrations import RunPython
from django.db.migrations.loader import MigrationLoader
from django.template.defaultfilters import pluralize

# Shops have run these; what comes after them is looked at. Moved on with each release.
RELEASED = {
    "customers": "0002_tokens_limits_and_closing",
    "orders": "0003_open_the_books",
    "products": "0004_census",
}
# Not about locks. (Each connection of ours has a lock_timeout.)
TASTE = re.compile("prefer-|ban-char-field|require-(lock|statement)-timeout")


class Finding(NamedTuple):
    rule: str
    why: str


class Command(BaseCommand):
    help = (
        "Looks in the migrations since the last release for what locks a table that is in use, or "
        "takes away what the servers of that release need. A migration that is to do so says why, "
        "as `deliberate = {rule: reason}` in its class. deploy/RUNBOOK.md has how to do without."
    )
    requires_system_checks = ()

    def handle(self, **options):
        loader = MigrationLoader(None)
        migrations = [loader.graph.nodes[key] for key in since_release(loader)]
        found = 0
        for migration in migrations:
            for finding in findings(loader, migration):
                if finding.rule not in getattr(migration, "deliberate", ()):
                    found += 1
                    self.stdout.write(f"{migration}: {finding.why} ({finding.rule})")
        if found:
            told = f"{found} finding{pluralize(found)}"
            raise CommandError(f"{told}; deploy/RUNBOOK.md says how to do without.")
        told = f"{len(migrations)} migration{pluralize(len(migrations))}"
        self.stdout.write(f"{told} since the release, none of which locks.")


def since_release(loader):
    """Keys of our own migrations that are not released, each after those it depends on."""
    graph = loader.graph
    released = {key for last in RELEASED.items() for key in graph.forwards_plan(last)}
    ours = {config.label for config in apps.get_app_configs() if is_ours(config)}
    plan = dict.fromkeys(key for leaf in graph.leaf_nodes() for key in graph.forwards_plan(leaf))
    return [key for key in plan if key not in released and key[0] in ours]


def is_ours(config):
    return Path(config.path).parent == settings.BASE_DIR


def findings(loader, migration):
    if migration.atomic and any(isinstance(each, RunPython) for each in migration.operations):
        why = "Rows that its code writes stay locked until all of it is done: set atomic = False."
        yield Finding("python-in-transaction", why)
    try:
        text = sql_of(loader, migration)
    except OperationalError:
        yield Finding(
            "removes-constraint-or-index",
            "It removes a constraint or index whose name only the database knows, so it was not "
            "read on: let it be alone in its migration.",
        )
        return
    for told in squawk(text):
        if not TASTE.match(told["rule_name"]):
            yield Finding(told["rule_name"], told["message"])


def sql_of(loader, migration):
    """What PostgreSQL would be told. What RunPython does is not among it."""
    # Nobody connects: some changes would, to look something up, and have to fail at once.
    nowhere = {"ENGINE": "django.db.backends.postgresql", "HOST": "/nowhere", "NAME": "none"}
    database = ConnectionHandler({"default": nowhere})["default"]
    state = loader.project_state((migration.app_label, migration.name), at_end=False)
    with Editor(database, collect_sql=True, atomic=False) as editor:
        migration.apply(state, editor, collect_sql=True)
    statements = [line for line in editor.collected_sql if not line.startswith("--")]
    if migration.atomic:
        statements = ["BEGIN;", *statements, "COMMIT;"]
    return "".join(f"{statement}\n" for statement in statements)


class Editor(DatabaseSchemaEditor):
    def execute(self, sql, params=()):
        """Put values into the text here: by itself it would connect for that."""
        if params is not None:
            sql = str(sql) % tuple(map(self.quote_value, params))
        super().execute(sql, None)


def squawk(text):
    program = shutil.which("squawk", path=Path(sys.executable).parent) or shutil.which("squawk")
    if not program:
        raise CommandError("squawk is not installed: `pipenv install --dev` does it.")
    command = [program, "--reporter", "json"]
    run = subprocess.run(  # noqa: S603
        command, input=text, capture_output=True, text=True, check=False, timeout=60
    )
    if run.returncode not in (0, 1):
        raise CommandError(f"squawk failed. {run.stderr}")
    return json.loads(run.stdout)
