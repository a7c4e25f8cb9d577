from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from voiceworker.api.problems import CODES
from voiceworker.api.schema import CreateSession
from voiceworker.config import ROOT
from voiceworker.records import Scope

if TYPE_CHECKING:
    from tests.api.conftest import House


@pytest.fixture
def document(house: House) -> dict[str, Any]:
    document: dict[str, Any] = house.app.openapi()
    return document


async def test_the_page_comes_from_this_machine_alone(house: House) -> None:
    async with house.client() as browser:
        page = await browser.get("/docs")
        assert "//" not in page.text.replace("<!doctype", "")
        for path in ("/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/docs/start.js", "/openapi.json"):
            assert (await browser.get(path)).status_code == 200
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "http" not in policy


def test_every_route_is_described_with_a_summary_and_an_example_or_schema(document: dict[str, Any]) -> None:
    assert set(document["paths"]) == {
        "/v1/realtime/sessions",
        "/v1/realtime/sessions/{session_id}",
        "/v1/realtime/sessions/{session_id}/transcript",
        "/v1/realtime/sessions/{session_id}/usage",
        "/v1/usage",
        "/v1/agents",
        "/livez",
        "/readyz",
        "/metrics",
    }
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation["summary"], (path, method)
            assert operation["description"], (path, method)
            for status, answer in operation["responses"].items():
                kinds = list(answer.get("content", {}))
                assert kinds == ["application/problem+json"] or int(status) < 400, (path, method, status)


def test_the_request_body_is_described_and_its_examples_are_valid(document: dict[str, Any]) -> None:
    content = document["paths"]["/v1/realtime/sessions"]["post"]["requestBody"]["content"]["application/json"]
    name = content["schema"]["$ref"].rpartition("/")[2]
    assert set(document["components"]["schemas"][name]["properties"]) == set(CreateSession.model_fields)
    for example in content["examples"].values():
        CreateSession.model_validate(example["value"])


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [found for item in value.values() for found in references(item)]
        return [found for item in value for found in references(item)] if isinstance(value, list) else []

    found = references(document)
    assert found
    assert {reference.removeprefix("#/components/schemas/") for reference in found} <= set(schemas)


def test_every_code_a_session_request_can_meet_has_an_example(document: dict[str, Any]) -> None:
    responses = document["paths"]["/v1/realtime/sessions"]["post"]["responses"]
    shown = {
        code
        for answer in responses.values()
        for code in answer["content"].get("application/problem+json", {}).get("examples", {})
    }
    elsewhere = {"not_found", "session_not_found", "method_not_allowed", "bad_request", "host_not_allowed"}
    assert shown | elsewhere | {"internal_error", "not_ready"} == set(CODES)


def test_the_handbook_names_every_route_scope_code_and_field(document: dict[str, Any]) -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    paths = [path.replace("{session_id}", "$ID") for path in document["paths"]]
    for word in (*paths, *Scope, *CODES, *CreateSession.model_fields):
        assert word in text, word
