"""deploy/prometheus and deploy/grafana: what they ask for is counted, and alerts fire when due."""

import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from service.settings import Settings
from service.web.app import create_app
from tests.deploy.support import paths_of
from tests.support import ROOT, recipe_of, tensor

yaml = pytest.importorskip("yaml", reason="PyYAML reads deploy/prometheus and deploy/grafana")
FOLDER = ROOT / "deploy/prometheus"
DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboards/tensorseed.json").read_text("utf-8"))
ALERTS = yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"]
CASES = yaml.safe_load((FOLDER / "alerts_test.yml").read_text("utf-8"))["tests"]
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")

OWN = {"up": {"job", "instance"}, "ALERTS": {"alertname", "alertstate", "severity", "instance"}}
"""Series that Prometheus makes itself, and their labels."""

ADDED = {"job", "instance"}
"""Labels that Prometheus adds to what it scrapes."""

_STRING = r'"[^"]*"'
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
_SELECTOR = re.compile(r"([A-Za-z_:][\w:]*)\s*\{((?:[^}\"]|" + _STRING + r")*)\}")
_MATCHER = re.compile(rf"(\w+)\s*(?:=~|!~|!=|=)\s*({_STRING})")
_NAME = re.compile(r"(?<![\w$.])[A-Za-z_:][\w:]*(?!\s*\()(?![\w:])")
_WORDS = {"and", "or", "unless", "bool", "offset", "group_left", "group_right", "inf", "nan"}


class Query:
    """What a PromQL expression names."""

    def __init__(self, text: str) -> None:
        self.grouped = {
            each for found in _GROUPING.findall(text) for each in re.split(r"\W+", found)
        }
        self.grouped -= {"", "le"}
        self.matched: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for name, inside in _SELECTOR.findall(text):
            self.matched[name] += [
                (label, value[1:-1]) for label, value in _MATCHER.findall(inside)
            ]
        bare = _GROUPING.sub(" ", _SELECTOR.sub(r"\1", text))
        bare = re.sub(rf"{_STRING}|\[[^]]*\]|\boffset\s+\w+|\b[\d.]+e?\d*\b", " ", bare)
        self.names = set(_NAME.findall(bare)) - _WORDS


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Series of a real /metrics, histograms' and counters' suffixes included, and their labels."""
    app = create_app(Settings(data_dir=str(tmp_path_factory.mktemp("data"))))
    with TestClient(app) as client:
        client.post("/v1/weights", json=recipe_of(tensor()))
        client.get("/v1/r/nothing")
        app.state.shared.metrics.aborted.labels("client").inc()
        text = client.get("/metrics").text
    found: dict[str, set[str]] = defaultdict(set)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] |= set(sample.labels)
    return found


def targets() -> Iterator[dict[str, Any]]:
    for panel in DASHBOARD["panels"]:
        yield from panel.get("targets", [])


def series_of_cases() -> Iterator[str]:
    for case in CASES:
        yield from (one["series"] for one in case["input_series"])


def asked() -> list[str]:
    """Return every expression: of alerts, of the dashboard, of the tests of alerts."""
    tested = [each["expr"] for case in CASES for each in case["promql_expr_test"]]
    shown = [target["expr"] for target in targets()]
    noted = [note["expr"] for note in DASHBOARD["annotations"]["list"]]
    return [rule["expr"] for rule in ALERTS] + shown + noted + tested + list(series_of_cases())


def values_of(label: str, texts: Iterable[str]) -> set[str]:
    """Return what a label is compared with anywhere, alternatives apart."""
    matched = [pair for text in texts for pairs in Query(text).matched.values() for pair in pairs]
    return {each for name, value in matched if name == label for each in value.split("|")}


def test_reader_of_expressions_overlooks_a_name() -> None:
    query = Query('sum by (a, le) (rate(x_total{b=~"c|{d}", e!="f"}[5m])) / y > 1e9 or z offset 5m')
    assert query.names == {"x_total", "y", "z"}
    assert query.grouped == {"a"}
    assert query.matched == {"x_total": [("b", "c|{d}"), ("e", "f")]}


@pytest.mark.parametrize("text", sorted(set(asked())))
def test_expression_asks_for_what_is_not_counted(counted: dict[str, set[str]], text: str) -> None:
    query, known = Query(text), counted | OWN
    assert query.names
    assert query.names <= set(known)
    for name, pairs in query.matched.items():
        assert {label for label, _ in pairs} <= known[name] | ADDED
    if "ALERTS" not in query.names:
        assert query.grouped <= set().union(*(known[name] for name in query.names)) | ADDED


def test_expression_names_a_route_that_is_none() -> None:
    paths = paths_of(create_app(Settings()))
    named = {re.sub(r":path}", "}", path) for path in values_of("route", asked())}
    assert named
    assert named <= paths


def test_expression_names_a_reason_that_is_none() -> None:
    source = "".join(p.read_text("utf-8") for p in (ROOT / "service/web").rglob("*.py"))
    reasons = values_of("reason", asked())
    assert reasons
    assert all(f'"{reason}"' in source for reason in reasons)


def test_what_is_counted_is_shown_nowhere(counted: dict[str, set[str]]) -> None:
    shown = set().union(*(Query(target["expr"]).names for target in targets()))
    ours = {re.sub(r"_(bucket|sum|count)$", "", n) for n in counted if n.startswith("tensorseed")}
    named = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}
    assert {name for name in ours if not name.endswith("_created")} <= named


def test_alert_is_never_seen_to_fire() -> None:
    text = json.dumps([case["promql_expr_test"] for case in CASES])
    names = [rule["alert"] for rule in ALERTS]
    assert len(names) == len(set(names))
    assert all(rf"alertname=\"{name}\"" in text for name in names)


def test_alert_leaves_open_what_to_do() -> None:
    for rule in ALERTS:
        assert rule["labels"]["severity"] in {"warning", "critical"}, rule["alert"]
        assert set(rule["annotations"]) == {"summary", "description"}
        assert len(rule["annotations"]["description"]) > 100


def test_alert_misses_another_number_of_replicas_than_compose_starts() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    replicas = compose["services"]["tensorseed"]["deploy"]["replicas"]
    (missing,) = (rule for rule in ALERTS if rule["alert"] == "TensorseedReplicasMissing")
    assert missing["expr"].endswith(f"< {replicas}")
    assert f"of {replicas}" in missing["annotations"]["summary"]


def test_prometheus_asks_another_service_or_port() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    (found,) = jobs["tensorseed"]["dns_sd_configs"]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    assert set(found["names"]) <= set(compose["services"])
    assert (found["type"], found["port"]) == ("A", Settings().port)
    assert jobs["tensorseed"].get("metrics_path", "/metrics") in paths_of(create_app(Settings()))
    assert values_of("job", asked()) <= set(jobs)


@needs_promtool
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "alerts.yml"),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_objects(arguments: tuple[str, ...]) -> None:
    command = [PROMTOOL or "", *arguments]
    ran = subprocess.run(
        command, check=False, cwd=FOLDER, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@needs_promtool
def test_expression_of_the_dashboard_is_no_promql(tmp_path: Path) -> None:
    rules = [
        {
            "record": f"target_{number}",
            "expr": target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*"),
        }
        for number, target in enumerate(targets())
    ]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    command = [PROMTOOL or "", "check", "rules", str(file)]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert f"{len(rules)} rules found" in ran.stdout, ran.stdout + ran.stderr
    assert ran.returncode == 0


def test_panels_share_an_id_or_a_place() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in panels):
        columns = range(place["x"], place["x"] + place["w"])
        rows = range(place["y"], place["y"] + place["h"])
        cells = {(x, y) for x in columns for y in rows}
        assert max(columns) < 24
        assert not cells & taken
        taken |= cells


def test_panel_shows_nothing() -> None:
    for panel in DASHBOARD["panels"]:
        assert panel["title"]
        if panel["type"] != "row":
            assert panel["targets"]
            assert all(target["expr"].strip() for target in panel["targets"])
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_dashboard_asks_a_source_or_variable_that_is_none() -> None:
    folder = ROOT / "deploy/grafana/provisioning"
    sources = yaml.safe_load((folder / "datasources/prometheus.yml").read_text("utf-8"))
    (source,) = sources["datasources"]
    names = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    kinds = {v["query"] for v in DASHBOARD["templating"]["list"] if v["type"] == "datasource"}
    assert kinds == {source["type"]}
    text = json.dumps(DASHBOARD)
    used = set(re.findall(r"\$\{?(\w+)", text)) - {"__rate_interval", "__all"}
    assert used == names


def test_provisioning_reads_another_folder_or_host_than_compose_has() -> None:
    folder = ROOT / "deploy/grafana/provisioning"
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    provider = yaml.safe_load((folder / "dashboards/tensorseed.yml").read_text("utf-8"))
    path = provider["providers"][0]["options"]["path"]
    assert f"./deploy/grafana/dashboards:{path}:ro" in compose["grafana"]["volumes"]
    sources = yaml.safe_load((folder / "datasources/prometheus.yml").read_text("utf-8"))
    host, port = re.fullmatch(r"http://(\w+):(\d+)", sources["datasources"][0]["url"]).groups()  # type: ignore[union-attr]
    assert compose[host]["ports"][0].endswith(f":{port}")
