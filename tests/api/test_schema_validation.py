"""Payloads are checked against the schema of their event type: off, warn, enforce."""
from concurrent.futures import ThreadPoolExecutor

import pytest
from client import unique

SCHEMA = {
    "type": "object",
    "required": ["data"],
    "properties": {"data": {"type": "object", "properties": {
        "amount": {"type": "number", "minimum": 0, "multipleOf": 0.01},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
        "code": {"type": "string", "pattern": "^[A-Z]{3}$"}}}},
    "$defs": {"line": {"type": "object", "required": ["sku"]}},
}


def kind(api, mode, schema=SCHEMA, **more):
    return api.new_event_type(unique("checked"), schemas={"1": schema}, schemaValidation=mode, **more)["name"]


def post(api, app, event_type, payload, status=202, **more):
    return api.expect(status, "POST", f"/app/{app['id']}/msg", json={"eventType": event_type, "payload": payload, **more})


def count(api, metric):
    text = api.http.get(f"{api.url}/metrics").text
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(metric + " "))


@pytest.mark.parametrize("payload, loc, kind_of_fault", [
    ({}, ["data"], "value_error.missing"),
    ({"data": {"amount": -1}}, ["data", "amount"], "value_error.schema"),
    ({"data": {"amount": 1.001}}, ["data", "amount"], "value_error.schema"),
    ({"data": {"lines": [{"sku": 1}, {}]}}, ["data", "lines", "1", "sku"], "value_error.missing"),
    ({"data": {"code": "abc"}}, ["data", "code"], "value_error.schema"),
])
def test_what_does_not_match_is_refused_with_its_place(api, app, payload, loc, kind_of_fault):
    name = kind(api, "enforce")
    detail = post(api, app, name, payload, 422)["detail"]
    assert [(d["loc"], d["type"]) for d in detail] == [(["body", "payload", *loc], kind_of_fault)]
    assert not api.pages(f"/app/{app['id']}/msg")


def test_what_matches_is_taken(api, app):
    answer = post(api, app, kind(api, "enforce"), {"data": {"amount": 19.99, "lines": [{"sku": "x"}], "code": "ABC"}})
    assert "schemaWarning" not in answer


def test_warn_takes_and_tells(api, app):
    name = kind(api, "warn")
    before = count(api, "posthorn_schema_warnings_total")
    answer = post(api, app, name, {"data": {"amount": "1"}})
    assert answer["schemaWarning"] == "payload/data/amount: has to be of type number"
    assert count(api, "posthorn_schema_warnings_total") == before + 1
    assert "schemaWarning" not in post(api, app, name, {"data": {}})
    assert len(api.pages(f"/app/{app['id']}/msg")) == 2


def test_off_unknown_and_archived_types_check_nothing(api, app):
    for name in (kind(api, "off"), unique("unknown")):
        post(api, app, name, {})
    name = kind(api, "enforce")
    post(api, app, name, {}, 422)
    api.expect(204, "DELETE", f"/event-type/{name}")
    post(api, app, name, {})


def test_the_highest_version_counts(api, app):
    name = api.new_event_type(unique("versions"), schemaValidation="enforce",
                              schemas={"9": {"required": ["old"]}, "10": {"required": ["new"]}, "2": {}})["name"]
    post(api, app, name, {"old": 1}, 422)
    post(api, app, name, {"new": 1})


def test_every_change_is_obeyed_at_once(api, app):
    """On whichever thread the next request is."""
    name = kind(api, "off")
    path = f"/event-type/{name}"
    bad, other = {"data": {"amount": -1}}, {"1": {"required": ["x"]}}
    for _ in range(8):
        api.expect(200, "PATCH", path, json={"schemaValidation": "enforce"})
        post(api, app, name, bad, 422)
        api.expect(200, "PATCH", path, json={"schemas": other})
        post(api, app, name, bad, 422)
        post(api, app, name, {"x": 1})
        api.expect(200, "PATCH", path, json={"schemas": {"1": SCHEMA}, "schemaValidation": "warn"})
        assert post(api, app, name, bad)["schemaWarning"]
        api.expect(200, "PATCH", path, json={"schemaValidation": "off"})
        assert "schemaWarning" not in post(api, app, name, bad)


def test_schemas_have_to_be_checkable(api):
    name = unique("bad")
    for schema, place in (({"type": "text"}, ["type"]), ({"items": {"pattern": "("}}, ["items", "pattern"]),
                          ({"$ref": "https://example.com/x"}, ["$ref"]), ({"unevaluatedProperties": False}, ["unevaluatedProperties"])):
        body = {"name": name, "description": "", "schemas": {"1": {}, "2": schema}, "schemaValidation": "enforce"}
        detail = api.expect(422, "POST", "/event-type", json=body)["detail"]
        assert [d["loc"] for d in detail] == [["body", "schemas", "2", *place]]
        detail = api.expect(422, "PUT", f"/event-type/{name}", json={**body, "schemaValidation": "warn"})["detail"]
        assert [d["loc"] for d in detail] == [["body", "schemas", "2", *place]]
    made = api.new_event_type(name, schemas={"1": {"type": "text"}})
    assert made["schemaValidation"] == "off"
    detail = api.expect(422, "PATCH", f"/event-type/{name}", json={"schemaValidation": "enforce"})["detail"]
    assert [d["loc"] for d in detail] == [["body", "schemas", "1", "type"]]
    api.expect(200, "PATCH", f"/event-type/{name}", json={"schemaValidation": "enforce", "schemas": {"1": {}}})
    for broken in ({"1": {"type": "text"}}, None, {}):
        assert api.expect(422, "PATCH", f"/event-type/{name}", json={"schemas": broken})["detail"][0]["loc"][:2] == ["body", "schemas"]
    api.expect(422, "PATCH", f"/event-type/{name}", json={"schemaValidation": "strict"})
    api.expect(404, "PATCH", f"/event-type/{unique('none')}", json={"schemaValidation": "warn"})


def test_messages_of_a_batch_are_checked_each(api, app):
    name = kind(api, "enforce")
    answer = api.expect(202, "POST", f"/app/{app['id']}/msg/batch", json={"messages": [
        {"eventType": name, "payload": {"data": {}}}, {"eventType": name, "payload": {}}, {"eventType": "any.other", "payload": {}}]})
    assert [entry["status"] for entry in answer["data"]] == [202, 422, 202]
    assert answer["data"][1]["error"]["detail"][0]["loc"] == ["body", "payload", "data"]


def test_another_tenant_s_type_of_the_same_name_checks_nothing(api, other, app):
    name = kind(api, "enforce")
    post(other, other.new_app(), name, {})
    post(api, app, name, {}, 422)


def test_a_raw_body_is_checked_by_its_payload(api, app):
    name = kind(api, "enforce")
    post(api, app, name, {"data": {}}, transformationsParams={"rawPayload": "<x/>"})
    post(api, app, name, {}, 422, transformationsParams={"rawPayload": "<x/>"})


def test_schemas_are_kept_as_they_were_written(api):
    name = unique("written")
    body = b'{"name":"%s","description":"","schemas":{"1":{"multipleOf":0.10, "b":1,"a":2}}}' % name.encode()
    api.expect(201, "POST", "/event-type", content=body, headers={"Content-Type": "application/json"})
    assert b'{"1":{"multipleOf":0.10, "b":1,"a":2}}' in api.get(f"/event-type/{name}").content


def test_a_broadcast_is_checked_before_it_starts(api):
    name = kind(api, "enforce")
    detail = api.expect(422, "POST", "/msg/broadcast", json={"eventType": name, "payload": {}})["detail"]
    assert detail[0]["loc"] == ["body", "payload", "data"]
    api.expect(202, "POST", "/msg/broadcast", json={"eventType": name, "payload": {"data": {}}})


def test_patches_at_the_same_time_leave_nothing_that_cannot_be_checked(server):
    bad = {"1": {"type": "text"}}
    with server.api() as one, server.api() as two, ThreadPoolExecutor(2) as pool:
        for _ in range(15):
            path = f"/event-type/{one.new_event_type(schemas={'1': {}})['name']}"
            answers = [pool.submit(client.patch, path, json=body) for client, body in
                       ((one, {"schemaValidation": "enforce"}), (two, {"schemas": bad}))]
            assert sorted(a.result().status_code for a in answers) == [200, 422]
            left = one.expect(200, "GET", path)
            assert (left["schemaValidation"], left["schemas"]) in (("enforce", {"1": {}}), ("off", bad))
