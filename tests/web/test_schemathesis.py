"""The OpenAPI document against the server, by a fuzzer that knows nothing but the document."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.live import live_server

CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "unsupported_method",
]
COMMAND = shutil.which("schemathesis", path=str(Path(sys.executable).parent))


@pytest.mark.skipif(COMMAND is None, reason="schemathesis is not installed: make test-full")
@pytest.mark.slow
def test_answer_is_not_in_the_document(tmp_path: Path) -> None:
    with live_server("--max-bodies", "1000", "--max-total-bytes", "100000000") as server:
        run = [str(COMMAND), "run", f"{server.url}/openapi.json", "--checks", ",".join(CHECKS)]
        flags = ["--phases", "examples,fuzzing", "--max-examples", "30", "--seed", "1"]
        done = subprocess.run(
            [*run, *flags], check=False, capture_output=True, text=True, timeout=300, cwd=tmp_path
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        assert not [line for line in server.log if "Traceback" in line]
        assert server.get("/livez") == {"status": "ok"}
