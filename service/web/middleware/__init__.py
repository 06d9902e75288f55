"""What every request passes through: the access log and the check of its key."""

from service.web.middleware.access_log import AccessLog
from service.web.middleware.authorization import Authorization

__all__ = ["AccessLog", "Authorization"]
