"""The image: a base by debootstrap, and buildah on it, as this machine reaches its packages."""

import ast
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tools.image.commands import CannotRun, output

SUITE = "bookworm"
"""The base's Debian: its Python, 3.11, is the oldest that the package takes."""

CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
SHARED_PIP_OPTIONS = {"index-url", "extra-index-url", "trusted-host", "proxy", "default-timeout"}


def mirror() -> str:
    """Return the address that this machine's apt has Debian from.

    Raises:
        CannotRun: Its sources name none for the release it runs.
    """
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    fields = "$(RELEASE)|$(COMPONENT)|$(REPO_URI)"
    for line in output("apt-get", "indextargets", "--format", fields).splitlines():
        release, component, address = line.split("|")
        if release in {SUITE, codename} and component == "main":
            return address
    raise CannotRun(f"apt's sources here name no mirror of {SUITE}")


def pip_configuration() -> str:
    """Return how pip reaches its index from here, but for what lies in files of this machine."""
    found = {}
    for line in output(sys.executable, "-m", "pip", "config", "list").splitlines():
        name, _, value = line.partition("=")
        option = name.rpartition(".")[2]
        kept = [v for v in str(ast.literal_eval(value)).split() if not v.startswith(("file:", "/"))]
        if option in SHARED_PIP_OPTIONS and kept:
            found[option] = " ".join(kept)  # the environment's come last, and win
    found["cert"] = CERTIFICATES
    return "[global]\n" + "".join(f"{option} = {value}\n" for option, value in found.items())


class Builder:
    """buildah with a storage of its own.

    Args:
        cache: Folder of images, kept.
        folder: Folder of everything that is not.
    """

    BASE = f"localhost/tensorseed-base:{SUITE}"
    BUILD = "localhost/tensorseed-build:tested"
    IMAGE = "localhost/tensorseed:tested"

    def __init__(self, cache: Path, folder: Path) -> None:
        self._own = ("--root", cache / "storage", "--runroot", folder / "run")
        self._folder = folder
        self("rm", "--all")  # a run that was killed could not

    def __call__(self, *arguments: str | Path) -> str:
        """Return what a command of buildah prints."""
        environment = {**os.environ, "TMPDIR": str(self._folder)}
        return output("buildah", *self._own, *arguments, env=environment).strip()

    @contextmanager
    def container(self, image: str) -> Iterator[tuple[str, Path]]:
        """Yield the name and the mounted root of a container that is removed at the end."""
        name = self("from", "--pull-never", image)
        try:
            yield name, Path(self("mount", name))
        finally:
            self("rm", name)

    def base(self) -> None:
        """Make the base, unless it is there: a minimal Debian with Python."""
        if self.BASE in self("images", "--format", "{{.Name}}:{{.Tag}}").splitlines():
            return
        with self.container("scratch") as (name, root):
            packages = "--include=python3,python3-venv,ca-certificates"
            output("debootstrap", "--variant=minbase", packages, SUITE, root, mirror())
            for kept in ("var/cache/apt/archives", "var/lib/apt/lists"):
                shutil.rmtree(root / kept)
                (root / kept / "partial").mkdir(parents=True)
            self("commit", "--quiet", name, self.BASE)

    def config(self) -> dict[str, Any]:
        """Return the image's configuration, as an engine reads it."""
        inspected = json.loads(self("inspect", "--type=image", self.IMAGE))
        return dict(inspected["Docker"]["config"])

    def build(self) -> None:
        """Build the image; its first stage has a name too, or its layers would not be kept."""
        configuration = self._folder / "pip.conf"
        configuration.write_text(pip_configuration())
        options = ["--isolation=chroot", "--format=docker", "--layers", "--pull-never"]
        options += [f"--build-arg=BASE={self.BASE}", f"--volume={configuration}:/etc/pip.conf:ro"]
        if Path(CERTIFICATES).exists():  # mounted, so they are this machine's of today
            options.append(f"--volume={CERTIFICATES}:{CERTIFICATES}:ro")
        self("build", *options, "--target=build", f"--tag={self.BUILD}", ".")
        self("build", *options, "--target=cpu", f"--tag={self.IMAGE}", ".")
        self("rmi", "--prune")  # layers of older builds
