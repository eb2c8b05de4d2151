"""A WSGI module, traced for coverage in each thread of granian: these are not Python's own."""

import os
import sys
import threading
from importlib import import_module

measured = import_module(os.environ["MEASURED_MODULE"])


def application(environ, start_response):
    if not sys.gettrace():
        sys.settrace(threading.gettrace())  # coverage's, which it gave to Python's threads
    return measured.application(environ, start_response)
