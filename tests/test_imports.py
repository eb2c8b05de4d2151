"""Which package may import which."""

import ast
from pathlib import Path

import pytest
from django.conf import settings

APPS = {"customers", "products", "orders", "changes", "mail", "webhooks"}
MAY_IMPORT = {
    "shopply/api": {"shopply"},
    "customers": {"customers", "shopply.api"},
    "products": {"products", "shopply.api"},
    "orders": {"orders", "products", "shopply.api"},
    "changes": {"changes", "customers", "orders", "products", "shopply.api"},
    "mail": {"mail", "changes", "customers", "orders", "products", "shopply.api"},
    "webhooks": {"webhooks", "changes", "customers", "orders", "products", "shopply.api"},
}


def imported_names(path):
    """Yield the absolute names that a module imports, at the top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_within(name, packages):
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def forbidden_imports(folder, allowed):
    own_packages = APPS | {"shopply"}
    return {
        f"{path.relative_to(settings.BASE_DIR)}: {name}"
        for path in Path(settings.BASE_DIR, folder).rglob("*.py")
        for name in imported_names(path)
        if is_within(name, own_packages) and not is_within(name, allowed)
    }


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_package_imports_only_what_it_may(folder):
    assert forbidden_imports(folder, MAY_IMPORT[folder]) == set()


def test_forbidden_import_is_detected():
    assert any(
        ": products." in name for name in forbidden_imports("orders", {"orders", "shopply.api"})
    )
