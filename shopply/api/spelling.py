"""Messages for unknown names, with the known name that was probably meant."""

import difflib

MAX_LENGTH = 64  # of a name that is shown and compared


def describe_unknown_name(noun, name, known_names):
    """Return a sentence about an unknown "field" or "parameter", which is the `noun`."""
    shown = name if len(name) <= MAX_LENGTH else f"{name[:MAX_LENGTH]}…"
    by_letters = {fold(known): known for known in known_names}
    matches = difflib.get_close_matches(fold(shown), by_letters, n=1, cutoff=0.75)
    hint = f"; did you mean {by_letters[matches[0]]}?" if matches else "."
    return f"There is no {noun} {shown}{hint}"


def fold(name):
    """Return the letters of a name, so that postalCode and postal_code are the same."""
    return name.lower().replace("_", "").replace("-", "")
