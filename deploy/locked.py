"""Print what Pipfile.lock pins, with every hash, as requirements for pip.

Image and Beanstalk install from it: pip then takes nothing that the lock does not name, and no
pipenv is needed, of which older versions stumble over a lock that names no source.
"""

import json
from pathlib import Path

lock = json.loads((Path(__file__).parent.parent / "Pipfile.lock").read_text(encoding="utf-8"))
for name, pin in lock["default"].items():
    extras = f"[{','.join(pin['extras'])}]" if "extras" in pin else ""
    markers = f"; {pin['markers']}" if "markers" in pin else ""
    hashes = " ".join(f"--hash={digest}" for digest in pin["hashes"])
    print(f"{name}{extras}{pin['version']}{markers} {hashes}")
