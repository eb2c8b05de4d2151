"""A WSGI module, traced for coverage in each thread of granian: these are not Python's own."""

import os
import sys
import threading
from importlib import import_module

measured = import_module(os.environ["MEASURED_MODULE"])
path = list(sys.path)


def application(environ, start_response):
    if not sys.gettrace():
        # granian adds to it; coverage would then drop the modules that other threads are importing.
        sys.path[:] = path
        sys.settrace(threading.gettrace())  # coverage's, which it gave to Python's threads
    return measured.application(environ, start_response)
