"""The shop with a catalogue that is kept whatever is written, for the negative control."""

from shopply.wsgi import application  # noqa: F401  (what the server runs; it also sets Django up)

# isort: split
from products import catalogue

catalogue.state = lambda: "as ever"
