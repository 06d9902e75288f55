"""What is checked: the image's configuration and files, and what its server does.

``python -m tools.image`` runs it where nothing that it mounts or starts can stay.
"""

import hashlib
import json
import re
import socket
import sys
import time
from contextlib import closing
from http.client import HTTPException
from pathlib import Path
from subprocess import SubprocessError
from typing import Any

from tools.image.builder import Builder
from tools.image.commands import CannotRun, output
from tools.image.container import DRAIN, Container
from tools.image.report import Report

RECIPE = Path("examples/recipes/mnist-mlp.json")
SHA256 = "839e5911bd7834ff915556c0f7017df90e26b36083b7c750909913cd4df66050"
LONG = Path("examples/recipes/gpt2-small.json")
"""A body that a signal finds under way."""

UID, GID = 10001, 10001
TOOLCHAIN = re.compile(
    r"(.+-)?(gcc|g\+\+|cc|c\+\+|cpp|clang|tcc|as|ld|make)(\.bfd|\.gold)?(-[0-9.]+)?"
)
LEFT = ("src", "usr/include/python3*", "opt/tensorseed/lib/python3*/site-packages/pip")
"""What only the build has, as patterns."""

# Makes a file in every folder that the user can list, and says where that went how.
PROBE = """
import collections, errno, json, os
told = collections.defaultdict(list)
for folder, inner, _ in os.walk("/"):
    if folder == "/":
        inner.remove("proc")
    try:
        os.close(os.open(f"{folder}/.probe", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        os.unlink(f"{folder}/.probe")
        told["written"].append(folder)
    except OSError as error:
        told[errno.errorcode[error.errno]].append(folder)
print(json.dumps(told))
"""


def check_config(report: Report, config: dict[str, Any]) -> None:
    """Check what an engine is told about the image."""
    expected = {
        "User": f"{UID}:{GID}",
        "Entrypoint": ["tensorseed"],
        "Cmd": ["serve"],
        "StopSignal": "SIGTERM",
        "Volumes": {"/data": {}},
        "ExposedPorts": {"8000/tcp": {}},
    }
    for name, value in expected.items():
        report.check(f"the image's {name} is {json.dumps(value)}", config.get(name) == value)
    health = (config.get("Healthcheck") or {}).get("Test", [])
    report.check("its HEALTHCHECK needs no shell", health[:1] == ["CMD"], " ".join(health[:2]))
    wanted = {"TENSORSEED_HOST=0.0.0.0", "TENSORSEED_PORT=8000", "PYTHONDONTWRITEBYTECODE=1"}
    report.check("it listens for other hosts, and writes no bytecode", wanted <= {*config["Env"]})


def check_files(report: Report, root: Path) -> None:
    """Check what is in the image, and what is not."""
    kernel = [*root.glob("opt/tensorseed/lib/python3*/site-packages/service/native/_kernel*.so")]
    report.check("the compiled kernel is in it", kernel, ", ".join(path.name for path in kernel))
    programs = {path.name for path in root.glob("**/*bin/*")}
    compilers = sorted(filter(TOOLCHAIN.fullmatch, programs))
    report.check(
        "no compiler is in it",
        programs and not compilers,
        f"of {len(programs)} programs {some(compilers)}",
    )
    left = [str(path.relative_to(root)) for pattern in LEFT for path in root.glob(pattern)]
    lists = [path.name for path in (root / "var/lib/apt/lists").glob("*Packages*")]
    report.check("nothing of its build is in it", not left + lists, some(left + lists))
    find = ("find", root, "-xdev", "-type", "f", "-perm", "/6000", "-printf", "%P\\n")
    raised = output(*find).splitlines()
    report.check("no file in it is setuid or setgid", not raised, some(raised))
    data = (root / "data").stat()
    report.check("/data is its user's", (data.st_uid, data.st_gid) == (UID, GID))
    whole, own = (megabytes(path) for path in (root, root / "opt/tensorseed"))
    report.note(f"the image has {whole} MB, of which /opt/tensorseed {own} MB")


def some(names: list[str]) -> str:
    """Return how many there are, and the first of them."""
    shown = ", ".join(names[:5]) + (", ..." if names[5:] else "")
    return f"{len(names)}: {shown}" if names else "none"


def megabytes(path: Path) -> int:
    """Return how much of a disk a folder takes, in units of 1,000,000 bytes."""
    return int(output("du", "-sx", "--block-size=1", path).split()[0]) // 10**6


def check_process(report: Report, container: Container) -> None:
    """Check the server's rights, as the kernel knows them."""
    text = Path(f"/proc/{container.pid}/status").read_text()
    status = {name: value.split() for name, value in re.findall(r"(\w+):\t(.*)", text)}
    for name, expected in (("Uid", [str(UID)] * 4), ("Gid", [str(GID)] * 4)):
        report.check(f"it runs with {name} {expected[0]}", status[name] == expected)
    report.check("it is in no other group", {*status["Groups"]} <= {str(GID)})
    report.check("it has no capability", int(status["CapPrm"][0], 16) == 0)
    report.check("it can gain no privileges", status["NoNewPrivs"] == ["1"])
    report.check("it is PID 1", status["NSpid"][-1] == "1", f"{container.pid} outside")


def check_refusals(report: Report, container: Container) -> None:
    """Check from inside, as the user, that nothing but /tmp and /data can be written."""
    tried = container.inside("python3", "-c", PROBE)
    told = json.loads(tried.stdout) if tried.returncode == 0 else {}
    seen = "; ".join(f"{how} in {some(told[how])}" for how in told if how != "written")
    written, refused = told.pop("written", []), told.pop("EROFS", [])
    report.check(
        "the file system is read-only",
        {"/", "/etc", "/opt/tensorseed", "/var/tmp"} <= {*refused} and not told,
        seen or tried.stderr[-500:],
    )
    elsewhere = [path for path in written if path.split("/")[1] not in {"tmp", "data"}]
    report.check(
        "/tmp and /data are not, and nothing else",
        {"/tmp", "/data"} <= {*written} and not elsewhere,
        some(written),
    )


def check_health(report: Report, container: Container, command: list[str]) -> None:
    """Check that the HEALTHCHECK's own command tells a server from none."""
    done = container.inside(*command)
    report.check("the HEALTHCHECK exits with 0", done.returncode == 0, done.stderr[-500:])
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = container.inside(*command, TENSORSEED_PORT=str(port))
    report.check("and not where nothing listens", done.returncode > 0, f"status {done.returncode}")


def sha256_of(container: Container, path: str, body: bytes | None = None) -> str:
    """Return the SHA-256 of an answer's body."""
    with container.opened(path, body) as response:
        return hashlib.file_digest(response, "sha256").hexdigest()


def check_answers(report: Report, container: Container, volume: Path) -> str:
    """Check what it serves; return the path of a stored recipe's file."""
    with container.opened("/info") as response:
        kernel = json.load(response)["kernel"]
    report.check("the compiled kernel computes", kernel != "numpy", kernel)
    recipe = RECIPE.read_bytes()
    got = sha256_of(container, "/v1/weights", recipe)
    report.check(f"POST /v1/weights of {RECIPE.name} gives the known file", got == SHA256, got)
    with container.opened("/v1/recipes", recipe) as response:
        path = f"/v1/recipes/{json.load(response)['recipe_id']}/model.safetensors"
    report.check("the recipe is stored, its file served", sha256_of(container, path) == SHA256)
    kept = {file.name: file.stat().st_uid for file in volume.iterdir()}
    report.check("it is stored in /data, by the user", {*kept.values()} == {UID}, sorted(kept))
    return path


def check_end(report: Report, container: Container) -> None:
    """Check that the image's signal ends it, and no body that is under way."""
    with container.opened("/v1/weights", LONG.read_bytes()) as response:
        expected, got = int(response.headers["Content-Length"]), len(response.read(2**20))
        started = time.monotonic()
        container.stop()
        while piece := response.read(2**20):
            got += len(piece)
    report.check("SIGTERM cuts no body short", got == expected, f"{got} of {expected} bytes")
    status = container.wait()
    seconds = f"{time.monotonic() - started:.1f} s"
    report.check(f"SIGTERM ends it within {DRAIN} s, with status 0", status == 0, seconds)
    if status != 0:
        report.note(f"status {status}: {container.log}")


def check_server(report: Report, root: Path, config: dict[str, Any], folder: Path) -> None:
    """Start the image twice on one volume, and check what it does."""
    volume = folder / "volume"  # as an engine makes it: with the owner of the image's folder
    volume.mkdir()
    output("chown", f"--reference={root / 'data'}", volume)
    with closing(Container(root, volume, config, folder)) as container:
        with report.timed("start to ready"):
            container.wait_until_ready()
        check_process(report, container)
        check_refusals(report, container)
        check_health(report, container, config["Healthcheck"]["Test"][1:])
        path = check_answers(report, container, volume)
        check_end(report, container)
    with closing(Container(root, volume, config, folder)) as container:
        container.wait_until_ready()
        got = sha256_of(container, path)
        report.check("another container on that volume serves the file", got == SHA256)


def check_image(report: Report, kept: Path, folder: Path) -> None:
    """Build the image and check it."""
    builder = Builder(kept, folder)
    with report.timed("base"):
        builder.base()
    with report.timed("build"):
        builder.build()
    report.check("the image builds", holds=True)
    config = builder.config()
    check_config(report, config)
    with builder.container(builder.IMAGE) as (_, root):
        check_files(report, root)
        if report.failures:
            raise CannotRun("what is wrong so far is not started")
        with report.timed("all checks of the server"):
            check_server(report, root, config, folder)


def main(kept: str, folder: str) -> int:
    """Check the image; return how the process is to exit."""
    report = Report()
    try:
        with report.timed("together"):
            check_image(report, Path(kept), Path(folder))
    except (CannotRun, OSError, HTTPException, SubprocessError) as error:
        report.check("every check was made", holds=False, seen=error)
    print(f"checks that failed: {report.failures}" if report.failures else "every check passed")
    return min(report.failures, 1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
