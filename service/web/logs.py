"""Logs: a line for each request on standard output, all else on standard error.

Read by people they are text, read by programs JSON; every line that is about a request has its id.
"""

import logging
import sys
from contextvars import ContextVar
from typing import Any

REQUEST: ContextVar[str] = ContextVar("request", default="")
"""Id of the request that is being answered."""

ACCESS = "tensorseed.access"
"""Logger of the lines for requests."""

_JSON = {
    "()": "pythonjsonlogger.json.JsonFormatter",
    "fmt": "%(asctime)s %(levelname)s %(name)s %(message)s",
    "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
    "datefmt": "%Y-%m-%dT%H:%M:%S%z",
}
_TEXT = {"()": "uvicorn.logging.DefaultFormatter", "fmt": "%(levelprefix)s %(message)s"}
_PROGRAM = {"color_message"}  # uvicorn's own copy of a message


class WithRequest(logging.Filter):
    """Adds the request's id to what is logged while it is answered."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Pass everything on."""
        if request := REQUEST.get():
            record.request_id = request
        for name in _PROGRAM & record.__dict__.keys():
            delattr(record, name)
        return True


def configuration(form: str, level: str) -> dict[str, Any]:
    """Return what `logging.config.dictConfig` takes.

    Args:
        form: ``json``, ``text``, or ``auto``: text where a terminal reads it.
        level: Least severe to log.
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
