"""What the tests of deployments share."""

from fastapi import FastAPI


def paths_of(app: FastAPI) -> set[str]:
    """Return the paths that an application documents, as they are written there."""
    return set(app.openapi()["paths"])


def seconds(duration: str) -> int:
    """Return a duration that is written in seconds or minutes."""
    return int(duration[:-1]) * {"s": 1, "m": 60}[duration[-1]]
