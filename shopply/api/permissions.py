"""What staff may do in the API, and see of other models on a page of the admin.

In the API everything; or with STAFF_API_PERMISSIONS, what the permissions of the admin allow them.
"""

from django.conf import settings
from rest_framework import exceptions, permissions


def is_allowed(user, *required):
    """Return whether the user is staff, and has each permission, such as `orders.view_order`."""
    return user.is_staff and not any(missing_permissions(user, required))


def missing_permissions(user, required):
    """Yield those permissions that staff lack: none without STAFF_API_PERMISSIONS."""
    if settings.STAFF_API_PERMISSIONS:
        for permission in required:
            # Who may change something may look at it, as in the admin.
            equivalent = {permission, permission.replace(".view_", ".change_")}
            if not any(map(user.has_perm, equivalent)):
                yield permission


def denial(user, *required):
    """Return the detail of a 403 that names the permissions that staff lack; None for others."""
    missing = " and ".join(missing_permissions(user, required)) if user.is_staff else ""
    return f"Your account lacks the permission {missing}." if missing else None


def require(user, *required):
    """Raise PermissionDenied unless the user is allowed what these permissions name."""
    if not is_allowed(user, *required):
        raise exceptions.PermissionDenied(denial(user, *required))


def may_view(model_admin, request, model):
    """Return whether the user may view rows of another model than that of a page of the admin."""
    return model_admin.admin_site.get_model_admin(model).has_view_permission(request)


class StaffPermission(permissions.BasePermission):
    """For staff who have each of these permissions."""

    def __init__(self, *required):
        self.required = required

    def has_permission(self, request, view):
        self.message = denial(request.user, *self.required)
        return is_allowed(request.user, *self.required)
