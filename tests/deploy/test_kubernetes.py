"""deploy/kubernetes: what the API server would refuse, or would not agree with the service."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import service
from service.keys import Keys
from service.settings import PREFIX, Settings
from service.web.app import create_app
from tests.deploy.support import paths_of
from tests.support import ROOT

yaml = pytest.importorskip("yaml", reason="PyYAML reads deploy/kubernetes")
FOLDER = ROOT / "deploy/kubernetes"
FILES = sorted(FOLDER.glob("*.yaml"))
VERSIONS = ["1.30", "1.37"]
"""Releases of Kubernetes whose schemas are asked."""

FOREIGN = {"kustomization.yaml", "servicemonitor.yaml"}
"""Files whose kinds are not Kubernetes' own."""

KUBECTL = shutil.which("kubectl")
UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def document(name: str) -> dict[str, Any]:
    (found,) = yaml.safe_load_all((FOLDER / name).read_text("utf-8"))
    return dict(found)


@pytest.fixture
def pod() -> dict[str, Any]:
    return dict(document("deployment.yaml")["spec"]["template"]["spec"])


@pytest.fixture
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (found,) = pod["containers"]
    return dict(found)


@pytest.fixture
def given(container: dict[str, Any]) -> dict[str, str]:
    """The variables that are written out."""
    return {each["name"]: each["value"] for each in container["env"] if "value" in each}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", [f for f in FILES if f.name not in FOREIGN], ids=lambda f: f.name)
def test_api_server_refuses(path: Path, version: str) -> None:
    kubernetes_validate = pytest.importorskip(
        "kubernetes_validate", reason="kubernetes-validate has the schemas of Kubernetes"
    )
    kubernetes_validate.validate(document(path.name), version, strict=True)


def test_schema_takes_a_member_that_is_none() -> None:
    kubernetes_validate = pytest.importorskip(
        "kubernetes_validate", reason="kubernetes-validate has the schemas of Kubernetes"
    )
    wrong = document("deployment.yaml")
    wrong["spec"]["template"]["spec"]["containers"][0]["readOnlyRootFilesystem"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_kustomization_names_what_is_not_there_or_applies_an_example() -> None:
    listed = document("kustomization.yaml")["resources"]
    assert {FOLDER / name for name in listed} <= set(FILES)
    apart = {path.name for path in FILES} - set(listed)
    assert apart == {"kustomization.yaml", "secret.example.yaml", "servicemonitor.yaml"}


def test_kustomization_leaves_the_image_or_names_another_release(container: dict[str, Any]) -> None:
    (image,) = document("kustomization.yaml")["images"]
    assert image["name"] == container["image"]
    assert image["newTag"] == service.__version__


@pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")
def test_kubectl_builds_something_else() -> None:
    command = [KUBECTL or "", "kustomize", str(FOLDER)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    built = {each["kind"]: each for each in yaml.safe_load_all(ran.stdout)}
    listed = document("kustomization.yaml")["resources"]
    assert set(built) == {document(name)["kind"] for name in listed}
    (container,) = built["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"registry.example.com/tensorseed:{service.__version__}"


def test_variable_is_no_setting(container: dict[str, Any]) -> None:
    names = [each["name"] for each in container["env"]]
    assert len(names) == len(set(names))
    assert all(name.startswith(PREFIX) for name in names)
    assert {name.removeprefix(PREFIX).lower() for name in names} <= set(Settings.model_fields)


def test_comment_names_what_is_no_setting() -> None:
    for path in FILES:
        named = set(re.findall(rf"{PREFIX}([A-Z_]+)", path.read_text("utf-8")))
        assert {name.lower() for name in named} <= set(Settings.model_fields), path.name


def test_service_refuses_what_is_set(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.trusted_proxies == "*"
    assert settings.drain_delay > 0


def test_pod_is_killed_before_it_drained(pod: dict[str, Any], given: dict[str, str]) -> None:
    delay, drain = (float(given[f"{PREFIX}DRAIN_{name}"]) for name in ("DELAY", "TIMEOUT"))
    assert pod["terminationGracePeriodSeconds"] >= delay + drain + 10


def test_pod_goes_before_the_service_has_forgotten_it(
    container: dict[str, Any], given: dict[str, str]
) -> None:
    """There is no preStop, so the delay has to be long enough for the endpoints to be told."""
    assert "lifecycle" not in container
    assert float(given["TENSORSEED_DRAIN_DELAY"]) >= 5


def test_link_of_a_service_becomes_a_setting(pod: dict[str, Any]) -> None:
    """For a Service called tensorseed, pods would get TENSORSEED_PORT=tcp://10.0.0.1:80."""
    assert document("service.yaml")["metadata"]["name"].upper() == PREFIX.rstrip("_")
    assert pod["enableServiceLinks"] is False


def test_probe_asks_a_path_that_is_none(container: dict[str, Any]) -> None:
    asked = {
        name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")
    }
    assert {one["path"] for one in asked.values()} <= paths_of(create_app(Settings()))
    assert asked["readiness"]["path"] == "/readyz"
    assert asked["liveness"]["path"] == "/livez"  # or a replica that drains would be killed
    (port,) = container["ports"]
    assert {one["port"] for one in asked.values()} == {port["name"]}


def test_ports_differ(container: dict[str, Any], given: dict[str, str]) -> None:
    (port,) = container["ports"]
    assert port["containerPort"] == int(given["TENSORSEED_PORT"]) == Settings().port
    assert f"EXPOSE {port['containerPort']}" in (ROOT / "Dockerfile").read_text("utf-8")
    (served,) = document("service.yaml")["spec"]["ports"]
    assert served["targetPort"] == port["name"]
    (watched,) = document("servicemonitor.yaml")["spec"]["endpoints"]
    assert watched["port"] == served["name"]
    assert watched["path"] in paths_of(create_app(Settings()))


def test_selector_misses_the_pods() -> None:
    deployment = document("deployment.yaml")["spec"]
    labels = deployment["template"]["metadata"]["labels"].items()
    spread = deployment["template"]["spec"]["topologySpreadConstraints"]
    served = document("service.yaml")
    selectors = [
        deployment["selector"]["matchLabels"],
        served["spec"]["selector"],
        document("disruption.yaml")["spec"]["selector"]["matchLabels"],
        *(one["labelSelector"]["matchLabels"] for one in spread),
    ]
    assert all(selector and selector.items() <= labels for selector in selectors)
    watched = document("servicemonitor.yaml")["spec"]["selector"]["matchLabels"]
    assert watched.items() <= served["metadata"]["labels"].items()


def test_autoscaler_scales_something_else_or_is_undone() -> None:
    scaled = document("autoscaler.yaml")["spec"]
    deployment = document("deployment.yaml")
    assert scaled["scaleTargetRef"] == {
        "apiVersion": deployment["apiVersion"],
        "kind": deployment["kind"],
        "name": deployment["metadata"]["name"],
    }
    assert "replicas" not in deployment["spec"]  # which every apply would set again
    assert scaled["maxReplicas"] > scaled["minReplicas"] >= 2


def test_last_replica_may_be_taken_away() -> None:
    disrupted = document("disruption.yaml")["spec"]
    assert disrupted["maxUnavailable"] < document("autoscaler.yaml")["spec"]["minReplicas"]


def test_container_may_do_more_than_it_needs(
    pod: dict[str, Any], container: dict[str, Any]
) -> None:
    user = re.search(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert user
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": int(user[1]),
        "runAsGroup": int(user[2]),
        "fsGroup": int(user[2]),
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False


def test_place_that_is_written_to_is_read_only(
    pod: dict[str, Any], container: dict[str, Any]
) -> None:
    mounted = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert set(mounted) == {"/tmp", "/data"}
    assert all("emptyDir" in volumes[name] for name in mounted.values())
    assert "TENSORSEED_DATA_DIR=/data" in (ROOT / "Dockerfile").read_text("utf-8")


def test_memory_is_less_than_the_settings_allow(
    container: dict[str, Any], given: dict[str, str]
) -> None:
    limit = container["resources"]["limits"]["memory"]
    settings = Settings(
        max_held_tensors=int(given["TENSORSEED_MAX_HELD_TENSORS"]),
    )
    held = 3_000 * settings.max_held_tensors + 2_000 * settings.max_cached_tensors
    whole = 16 * settings.max_whole_elements
    needed = 10**8 + settings.max_buffered_bytes + held + whole
    assert int(limit[:-2]) * UNITS[limit[-2:]] > needed


def test_secret_has_another_name_or_is_needed_or_real(container: dict[str, Any]) -> None:
    secret = document("secret.example.yaml")
    asked = [each["valueFrom"] for each in container["env"] if "valueFrom" in each]
    references = [each["secretKeyRef"] for each in asked if "secretKeyRef" in each]
    assert {each["name"] for each in references} == {secret["metadata"]["name"]}
    assert {each["key"] for each in references} == set(secret["stringData"])
    assert all(each["optional"] for each in references)
    assert Settings(keys=secret["stringData"]["keys"]).known_keys()
    hashes = re.findall(r"\b[0-9a-f]{64}\b", secret["stringData"]["keys"])
    assert all(re.fullmatch(r"0{60,}\d+", each) for each in hashes)
    assert Keys(secret["stringData"]["keys"].splitlines()).find("") is None
    assert "user:password@host" in json.dumps(secret)
