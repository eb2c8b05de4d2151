"""Names are the field's own: identifiers that once had other meanings do not come back."""

import ast
from pathlib import Path

from django.conf import settings

# Words that stood for many things.
WORDS = {
    *("told", "tell", "asked", "answer", "look", "found", "kept", "made", "given", "each", "most"),
    *("least", "wish", "wanted", "patience", "who", "whose", "what", "remedy", "kind", "of"),
    *("refusal", "refusals"),
}
# Names that have another one now.
NAMES = {
    *("Refusal", "api_exception", "Fault", "fault_of", "fault_in_time", "is_behind", "Lines"),
    *("OfCallers", "Live", "PagesOnly", "NoFiles", "Guarded", "Site", "Admin", "Counted", "Meter"),
    *("CallerThrottle", "ScopeThrottle", "ItemsPerPage", "Pages", "LinkedPages", "LogIn"),
    *("TooManyFailures", "RightPasswords", "Limit", "UniqueInAnyCase", "Memory", "Outline"),
    *("Census", "NewProductSerializer", "RegistrationSerializer", "NoEmptyValues"),
    *("PatternFilter", "BoundedSearch", "MomentFilter", "Move", "MOVES", "NotYours", "KeyReused"),
    *("AddressMissing", "Shortage", "take", "put_back", "supplying", "revise", "introduce"),
    *("draft", "fill", "as_placed", "forget_person", "settled", "containing", "stocked"),
    *("at_least", "at_most", "method_kept", "no_nul", "client_address", "optional_slash"),
    *("running_the_shop", "is_above", "powers", "line_told", "refusals_told", "how_many", "LENA"),
    *("EXPORTED", "ORDERED", "ADDRESSED", "FEW", "MOST", "EACH", "LOTS", "TRIES", "UNDONE"),
    *("Answer", "Record", "knobs", "doctor"),
}


def identifiers(tree):
    """Yield what a module defines: variables, parameters, functions, classes and attributes."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(ctx=ast.Store()):
                yield node.id
            case ast.FunctionDef() | ast.ClassDef():
                yield node.name
            case ast.arg():
                yield node.arg
            case ast.Attribute(ctx=ast.Store()):
                yield node.attr


def list_modules():
    """Return the paths of our modules, without migrations and virtual environments."""
    paths = (path.relative_to(settings.BASE_DIR) for path in Path(settings.BASE_DIR).rglob("*.py"))
    return [
        str(path)
        for path in paths
        if "migrations" not in path.parts and not any(part.startswith(".") for part in path.parts)
    ]


def test_identifiers_are_the_fields_own(subtests):
    for path in list_modules():
        tree = ast.parse(Path(settings.BASE_DIR, path).read_text(encoding="utf-8"))
        with subtests.test(path=path):
            assert set(identifiers(tree)) & (WORDS | NAMES) == set()
