"""Logs: a line for each request on standard output, everything else on standard error.

They are text on a terminal and JSON otherwise; lines logged during a request carry its id.
"""

import logging
import sys
from contextvars import ContextVar
from typing import Any

REQUEST: ContextVar[str] = ContextVar("request", default="")
"""Id of the request that is being handled."""

ACCESS = "tensorseed.access"
"""Name of the access log's logger."""

_JSON = {
    "()": "pythonjsonlogger.json.JsonFormatter",
    "fmt": "%(asctime)s %(levelname)s %(name)s %(message)s",
    "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
    "datefmt": "%Y-%m-%dT%H:%M:%S%z",
}
_TEXT = {"()": "uvicorn.logging.DefaultFormatter", "fmt": "%(levelprefix)s %(message)s"}
_DUPLICATED = {"color_message"}  # uvicorn's own copy of a message


class WithRequest(logging.Filter):
    """Adds the request's id to records that are logged while it is handled."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Accept every record."""
        if request := REQUEST.get():
            record.request_id = request
        for name in _DUPLICATED & record.__dict__.keys():
            delattr(record, name)
        return True


def configuration(form: str, level: str) -> dict[str, Any]:
    """Return the configuration for `logging.config.dictConfig`.

    Args:
        form: ``json``, ``text``, or ``auto``: text on a terminal.
        level: The lowest level to log.
    """

    def handler(stream: str) -> dict[str, Any]:
        is_read = form == "text" or (form == "auto" and getattr(sys, stream).isatty())
        return {
            "class": "logging.StreamHandler",
            "stream": f"ext://sys.{stream}",
            "formatter": "text" if is_read else "json",
            "filters": ["request"],
        }

    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request": {"()": "service.web.logs.WithRequest"}},
        "formatters": {"json": _JSON, "text": _TEXT},
        "handlers": {"out": handler("stdout"), "err": handler("stderr")},
        "loggers": {
            "uvicorn": {"handlers": ["err"], "level": level.upper(), "propagate": False},
            "tensorseed": {"handlers": ["err"], "level": level.upper(), "propagate": False},
            ACCESS: {"handlers": ["out"], "level": level.upper(), "propagate": False},
        },
    }
