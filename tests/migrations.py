"""The last migration of the orders, and a way for tests to add another one."""

import shutil
from pathlib import Path

import pytest
from django.apps import apps
from django.db.migrations.loader import MigrationLoader

((_, LAST),) = MigrationLoader(None).graph.leaf_nodes("orders")


@pytest.fixture
def changed(tmp_path, monkeypatch, settings):
    """A function that adds a migration with this text after those of the orders."""

    def change(text):
        package = tmp_path / f"after_{tmp_path.name}"
        shutil.copytree(Path(apps.get_app_config("orders").path) / "migrations", package)
        (package / "0999_change.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        settings.MIGRATION_MODULES = {"orders": package.name}

    return change
