"""What whoever watches the server asks: does it live, and may it be sent requests."""

import logging

from django.http import JsonResponse
from django.views.decorators.http import require_safe

from shopply import faults
from shopply.api.exceptions import problem_response

logger = logging.getLogger("shopply.health")


@require_safe
def healthz(request):
    """The process lives. Whatever else is broken, a restart would not mend it."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request):
    """Requests can be served: the database answers, and has all the migrations."""
    fault = faults.fault_in_time()
    if fault is None:
        return JsonResponse({"status": "ok"})
    logger.warning("Not ready: %s", fault)
    response = problem_response(request, "service_unavailable", fault.what)
    response["Retry-After"] = "1"
    return response
