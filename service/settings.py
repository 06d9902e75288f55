"""Settings of the service. Flags override environment variables, which override the TOML file."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from service.backends import backend
from service.keys import Keys
from service.limits import Limits
from service.stream.pipeline import Pipeline

if TYPE_CHECKING:
    from service.registry import Registry

PREFIX = "TENSORSEED_"


class Settings(Limits, BaseSettings):
    """Where and how to serve, and the limits. Durations are in seconds.

    Each is a flag (``--max-tensors``), an environment variable (``TENSORSEED_MAX_TENSORS``) and a
    key (``max_tensors``) of the TOML file that ``TENSORSEED_CONFIG`` names.

    >>> Settings(port=0).port
    0
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid"
    )

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 is any free one")
    workers: int = Field(1, ge=1, le=256, description="server processes")
    threads: int = Field(
        os.cpu_count() or 1,
        ge=1,
        le=1024,
        description="threads that compute values, in each process",
    )
    backend: str = Field(
        "auto",
        pattern="^(auto|numpy|cupy)$",
        description="where values are computed: cupy (GPUs), numpy (the processor), or auto",
    )
    kernel: str = Field(
        "auto",
        pattern="^(auto|numpy|portable|avx2|avx512)$",
        description="kernel for the processor: auto (the fastest here), numpy, portable, avx2"
        " or avx512",
    )
    max_buffered_bytes: int = Field(
        2**28, ge=2**20, description="bytes of chunks over all streams, in each process"
    )
    data_dir: str = Field(
        "~/.local/share/tensorseed", description="folder of the SQLite registry and of donors"
    )
    database_url: SecretStr = Field(
        SecretStr(""),
        description="registry shared by replicas: postgresql://user:password@host/database",
    )
    max_cached_tensors: int = Field(50_000, ge=0, description="tensors of cached plans, 2 KB each")
    max_bodies: int = Field(
        64, ge=1, le=100_000, description="bodies of weights streamed at once, in each process"
    )
    max_held_tensors: int = Field(
        1_000_000,
        ge=1,
        description="tensors of recipes in use at once, about 3 KB each, in each process",
    )
    max_analyses: int = Field(
        2, ge=1, le=1024, description="analyses and calibrations at once, in each process"
    )
    max_donors: int = Field(4, ge=1, le=1024, description="donors on disk at once, in each process")
    max_donor_bytes: int = Field(
        2**30,
        ge=0,
        description="bytes of a donor, on disk in data_dir; 0 accepts none",
    )
    queue_timeout: float = Field(
        5.0,
        ge=0,
        le=3600,
        description="seconds that a body, an analysis or a donor waits for a free place",
    )
    stall_timeout: float = Field(
        60.0,
        gt=0,
        le=86_400,
        description="seconds after which a client that reads nothing is cut off",
    )
    stream_timeout: float = Field(
        86_400.0, gt=0, le=31_536_000, description="seconds that a body may take"
    )
    keys: SecretStr = Field(
        SecretStr(""),
        description="entries of accepted keys, separated by semicolons; see tensorseed key",
    )
    keys_file: str = Field("", description="file of such entries, one on each line")
    metrics: bool = Field(default=True, description="whether to serve /metrics, for Prometheus")
    docs: bool = Field(default=True, description="whether to serve /docs and /openapi.json")
    playground: bool = Field(default=True, description="whether to serve the playground at /")
    trusted_proxies: str = Field(
        "127.0.0.1",
        description="proxies whose X-Forwarded-For is trusted, separated by commas; * is any",
    )
    root_path: str = Field("", description="path prefix that a proxy strips")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="origins that browsers may call from, separated by commas; * is any"
    )
    body_timeout: float = Field(
        30.0,
        gt=0,
        allow_inf_nan=False,
        description="seconds for a recipe to arrive; a form has one more for every 64 KiB",
    )
    drain_timeout: int = Field(30, ge=0, description="seconds for bodies to finish at shutdown")
    drain_delay: float = Field(
        0.0, ge=0, le=3600, description="seconds after SIGTERM before new requests are refused"
    )
    log_format: str = Field(
        "auto",
        pattern="^(auto|json|text)$",
        description="json, text, or auto: text on a terminal",
    )
    log_level: str = Field(
        "info", pattern="^(critical|error|warning|info|debug)$", description="lowest level to log"
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(origin.strip() for origin in value.split(",") if origin.strip())
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources of values; earlier ones override later ones.

        Raises:
            FileNotFoundError: ``TENSORSEED_CONFIG`` is not the path of a file.
        """
        del dotenv_settings, file_secret_settings
        path = os.environ.get(f"{PREFIX}CONFIG")
        if not path:
            return init_settings, env_settings
        if not Path(path).is_file():  # pydantic would treat a missing file as an empty one
            raise FileNotFoundError(f"{PREFIX}CONFIG is {path}, which is not a file")
        file = TomlConfigSettingsSource(settings_cls, toml_file=path)
        return init_settings, env_settings, file

    def pipeline(self) -> Pipeline:
        """Return the pipeline for these settings.

        Raises:
            BackendUnavailable: The settings require GPUs, and there is none.
            KernelUnavailable: The kernel is not available on this machine.
        """
        chosen = backend(self.backend, self.kernel)
        return Pipeline(self.threads, self.max_buffered_bytes, chosen)

    def known_keys(self) -> Keys:
        """Return the accepted keys; empty if requests need no key.

        Raises:
            OSError: ``keys_file`` cannot be read.
            ValueError: An entry is malformed.
        """
        lines = re.split(r"[;\n]", self.keys.get_secret_value())
        if self.keys_file:
            lines += Path(self.keys_file).read_text("utf-8").splitlines()
        return Keys(lines)

    def registry(self) -> "Registry":
        """Return the registry for these settings. It opens its database at the first use."""
        from service.registry import Registry  # noqa: PLC0415 - most commands need no database

        url = self.database_url.get_secret_value()
        return Registry(url or f"sqlite:///{Path(self.data_dir).expanduser() / 'registry.sqlite'}")

    def environment(self) -> dict[str, str]:
        """Return environment variables that give another process these settings."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {f"{PREFIX}{name.upper()}": _text(value) for name, value in values.items()}


def _text(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return ",".join(value) if isinstance(value, tuple) else str(value)
