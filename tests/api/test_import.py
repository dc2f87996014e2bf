"""Event types from the webhooks of an OpenAPI document."""
import json

import pytest
from client import unique


def spec(key="webhooks", **webhooks):
    return {"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, key: webhooks,
            "components": {"schemas": {"Money": {"type": "object", "required": ["amount"]}}}}


def webhook(schema=None, **more):
    body = {"requestBody": {"content": {"application/json": {"schema": schema}}}} if schema else {}
    return {"post": {"summary": "A test.", **body, **more}}


MONEY = {"properties": {"price": {"$ref": "#/components/schemas/Money"}}}
STORED = {"1": {"properties": {"price": {"$ref": "#/$defs/Money"}}, "$defs": {"Money": {"type": "object", "required": ["amount"]}}}}


def load(api, status=200, **body):
    answer = api.expect(status, "POST", "/event-type/import/openapi", json=body)
    return answer["data"] if status == 200 else answer


@pytest.fixture
def own(server):
    with server.api(server.new_tenant("imports")[1]) as client:
        yield client


def test_webhooks_become_event_types(own):
    made = load(own, spec=spec(**{"a.paid": webhook(MONEY, tags=["money"], deprecated=True), "b": webhook(**{"x-feature-flag": "beta"})}))
    assert made == {"modified": ["a.paid", "b"], "to_modify": []}
    a, b = (own.expect(200, "GET", f"/event-type/{name}") for name in ("a.paid", "b"))
    assert (a["description"], a["schemas"], a["deprecated"], a["groupName"], a["featureFlag"]) == ("A test.", STORED, True, "money", None)
    assert (b["schemas"], b["featureFlag"], b["featureFlags"], b["groupName"]) == (None, "beta", ["beta"], None)


def test_only_what_differs_is_modified_and_archived_ones_come_back(own):
    document = spec("x-webhooks", a=webhook(MONEY), b=webhook(), c=webhook())
    load(own, spec=document)
    assert load(own, spec=document)["modified"] == []
    own.expect(204, "DELETE", "/event-type/b")
    own.expect(200, "PATCH", "/event-type/c", json={"description": "else", "retrySchedule": [1], "groupName": "g"})
    assert load(own, spec=document)["modified"] == ["b", "c"]
    b, c = (own.expect(200, "GET", f"/event-type/{name}") for name in "bc")
    assert b["archived"] is False and c["description"] == "A test." and c["retrySchedule"] == [1] and c["groupName"] is None


def test_a_dry_run_only_tells(own):
    told = load(own, spec=spec(a=webhook(MONEY)), dryRun=True, replaceAll=True)
    assert told["modified"] == [] and [(t["name"], t["schemas"]) for t in told["to_modify"]] == [("a", STORED)]
    assert own.pages("/event-type") == []


def test_replace_all_archives_the_others(own, other):
    kept = other.new_event_type()["name"]
    own.new_event_type("away")
    load(own, spec=spec(a=webhook()), replaceAll=True)
    assert [(t["name"], t["archived"]) for t in own.pages("/event-type", include_archived=True)] == [("a", False), ("away", True)]
    assert other.expect(200, "GET", f"/event-type/{kept}")["archived"] is False


def test_text_may_be_json_or_yaml(own):
    text = "openapi: 3.1.0\nwebhooks:\n  from.yaml:\n    post:\n      description: In YAML.\n"
    assert load(own, specRaw=text)["modified"] == ["from.yaml"]
    assert load(own, specRaw="\n " + json.dumps(spec(a=webhook())))["modified"] == ["a"]


@pytest.mark.parametrize("body, loc", [
    ({"specRaw": "webhooks: &a {}"}, ["specRaw"]),
    ({"specRaw": "{"}, ["specRaw"]),
    ({"specRaw": "- 1"}, ["specRaw"]),
    ({"specRaw": 5}, ["specRaw"]),
    ({"spec": []}, ["spec"]),
    ({"spec": {}}, ["spec"]),
    ({"spec": {"webhooks": {}}}, ["spec"]),
    ({"spec": spec(a=webhook()), "dryRun": 1}, ["dryRun"]),
    ({"spec": spec(**{"a b": webhook()})}, ["spec", "webhooks", "a b"]),
    ({"spec": {**spec(a=webhook()), "x-webhooks": {"a": webhook()}}}, ["spec", "webhooks", "a"]),
    ({"spec": spec(a=webhook({"$ref": "https://example.com/x"}))}, ["spec", "webhooks", "a"]),
])
def test_what_is_wrong_is_named_and_nothing_is_written(own, body, loc):
    detail = load(own, 422, **body)["detail"]
    assert detail[0]["loc"] == ["body", *loc]
    assert own.pages("/event-type") == []


def test_there_is_one_document(own):
    load(own, 400)
    load(own, 400, spec=spec(a=webhook()), specRaw="x")


def test_types_that_are_checked_need_a_schema_that_can_be(own, app, api):
    own.new_event_type("a", schemas={"1": {}}, schemaValidation="enforce")
    detail = load(own, 422, spec=spec(a=webhook({"properties": {"x": {"pattern": "("}}}), b=webhook({"type": "?"})))["detail"]
    assert [d["loc"] for d in detail] == [["body", "spec", "webhooks", "a", "properties", "x", "pattern"]]
    assert load(own, 422, spec=spec(a=webhook()))["detail"][0]["loc"] == ["body", "spec", "webhooks", "a"]
    load(own, spec=spec(a=webhook({"type": "object", **MONEY})))
    mine = own.new_app()
    own.expect(422, "POST", f"/app/{mine['id']}/msg", json={"eventType": "a", "payload": {"price": {}}})
    own.expect(202, "POST", f"/app/{mine['id']}/msg", json={"eventType": "a", "payload": {"price": {"amount": 1}}})


def test_a_thousand_at_most(own):
    many = {f"many.{n}": webhook() for n in range(1001)}
    assert "1000" in load(own, 422, spec=spec(**many))["detail"][0]["msg"]
    many.popitem()
    assert len(load(own, spec=spec(**many))["modified"]) == 1000


def test_group_and_flags_of_an_event_type(api):
    made = api.new_event_type(groupName="billing", featureFlags=["beta"])
    assert (made["groupName"], made["featureFlag"], made["featureFlags"]) == ("billing", "beta", ["beta"])
    path = f"/event-type/{made['name']}"
    assert api.expect(200, "PATCH", path, json={"groupName": None})["groupName"] is None
    assert api.expect(200, "PATCH", path, json={"featureFlags": []})["featureFlag"] is None
    api.expect(422, "PATCH", path, json={"featureFlags": ["a", "b"]})
    api.expect(422, "POST", "/event-type", json={"name": unique(), "description": "", "groupName": ""})
