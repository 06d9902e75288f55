"""docker-compose.yml: what it names is there, agrees with the service, and is closed to others."""

import re
from typing import Any

import pytest

from service.settings import PREFIX, Settings
from service.web.app import create_app
from tests.deploy.support import paths_of, seconds
from tests.support import ROOT

yaml = pytest.importorskip("yaml", reason="PyYAML reads docker-compose.yml")
SHARED = {"default"}
"""Networks from which a port that is published is reached."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def services(document: dict[str, Any]) -> dict[str, Any]:
    """What each service has, that of the one which it extends included."""
    listed = document["services"]
    return {
        name: listed.get(service.get("extends", {}).get("service"), {}) | service
        for name, service in listed.items()
    }


@pytest.fixture(scope="module")
def given(services: dict[str, Any]) -> dict[str, str]:
    return dict(services["tensorseed"]["environment"])


def test_compose_sets_what_is_no_setting(given: dict[str, str]) -> None:
    assert {name.removeprefix(PREFIX).lower() for name in given} <= set(Settings.model_fields)


def test_service_refuses_what_compose_sets(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, re.sub(r"\$\{\w+:-(.*)\}", r"\1", value))
    settings = Settings()
    assert not settings.known_keys()
    assert settings.trusted_proxies == "*"
    assert settings.drain_delay > 0


def test_compose_mounts_what_is_not_there(services: dict[str, Any]) -> None:
    mounted = [v.split(":")[0] for s in services.values() for v in s.get("volumes", [])]
    assert all((ROOT / path).exists() for path in mounted if path.startswith("."))


def test_compose_names_a_volume_or_network_that_is_none(document: dict[str, Any]) -> None:
    for service in document["services"].values():
        assert {*service.get("networks", ())} <= {"default", *document["networks"]}
        named = {v.split(":")[0] for v in service.get("volumes", ()) if v[0] not in "./"}
        assert named <= set(document["volumes"])


def test_replicas_are_killed_before_they_drained(
    services: dict[str, Any], given: dict[str, str]
) -> None:
    served = services["tensorseed"]
    assert served["deploy"]["replicas"] == 2
    drain = int(given["TENSORSEED_DRAIN_TIMEOUT"])
    delay = float(given["TENSORSEED_DRAIN_DELAY"])
    assert seconds(served["stop_grace_period"]) > delay + drain
    assert seconds(services["proxy"]["stop_grace_period"]) >= drain


def test_service_is_loose_or_unwatched(services: dict[str, Any]) -> None:
    """Each has a version and a check of its health; only the database writes where it likes."""
    for name, service in services.items():
        if "build" not in service:
            assert re.search(r":v?\d+[\d.]*(-\w+)?$", service["image"]), name
            assert service["healthcheck"]["test"][0] == "CMD", name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        if name != "database":
            assert service["read_only"], name
            assert service["cap_drop"] == ["ALL"], name
    assert "HEALTHCHECK" in (ROOT / "Dockerfile").read_text("utf-8")


def test_health_is_asked_of_a_path_that_is_none(services: dict[str, Any]) -> None:
    url = services["proxy"]["healthcheck"]["test"][-1]
    assert url.removeprefix("http://127.0.0.1:8000") in paths_of(create_app(Settings()))


def test_monitoring_is_seen_from_outside_or_runs_unasked(services: dict[str, Any]) -> None:
    for name in ("prometheus", "grafana"):
        assert services[name]["profiles"] == ["monitoring"]
        assert all(port.startswith("127.0.0.1:") for port in services[name]["ports"])
    assert [name for name, s in services.items() if "profiles" not in s] == [
        "proxy",
        "tensorseed",
        "database",
    ]


def test_another_than_the_proxy_and_prometheus_reaches_the_replicas(
    services: dict[str, Any],
) -> None:
    """They believe whoever sends X-Forwarded-For."""
    assert "ports" not in services["tensorseed"]
    on_default = {n for n, s in services.items() if "default" in s.get("networks", ["default"])}
    assert on_default == {"proxy", "tensorseed", "tensorseed-gpu", "prometheus"}


def test_grafana_lets_a_visitor_in_as_more_than_one(services: dict[str, Any]) -> None:
    given = services["grafana"]["environment"]
    assert given["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert given["GF_AUTH_BASIC_ENABLED"] == "false"
    assert given["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"


def test_home_of_grafana_is_not_mounted(services: dict[str, Any]) -> None:
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    mounts = [volume.split(":") for volume in services["grafana"]["volumes"]]
    places = [ROOT / here / home.removeprefix(there).strip("/") for here, there, _ in mounts]
    assert any(place.is_file() for place in places)
