"""A WSGI module that traces each thread of granian for coverage: Python does not start them."""

import os
import sys
import threading
from importlib import import_module

module = import_module(os.environ["MEASURED_MODULE"])
throttles = import_module("customers.throttles")
throttles.SLOW_REQUEST *= 10  # traced requests are slow
path = list(sys.path)


def application(environ, start_response):
    if not sys.gettrace():
        # granian adds to it; coverage would then drop the modules that other threads import.
        sys.path[:] = path
        sys.settrace(threading.gettrace())  # coverage's function, meant for Python's threads
    return module.application(environ, start_response)
