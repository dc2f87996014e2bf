"""Payload filters of endpoints: set, shown, refused, tried out, obeyed."""
import pytest
from client import unique
from wait import wait_for

LARGE = {"path": "data.amount", "op": "gte", "value": 100}


@pytest.fixture
def endpoint(api, app, receiver):
    return api.new_endpoint(app, receiver.url(), filter=LARGE)


@pytest.fixture
def path(app, endpoint):
    return f"/app/{app['id']}/endpoint/{endpoint['id']}"


def try_out(api, path, payload, **more):
    return api.expect(200, "POST", f"{path}/filter/test", json={"payload": payload, **more})


def test_a_filter_is_shown_replaced_and_removed(api, app, path, endpoint):
    assert endpoint["filter"] == LARGE
    assert api.expect(200, "GET", path)["filter"] == LARGE
    assert api.expect(200, "PATCH", path, json={"description": "x"})["filter"] == LARGE
    other = {"any": [{"path": ["a", 0], "op": "in", "value": ["x", None]}, {"not": {"path": "b", "op": "exists"}}]}
    assert api.expect(200, "PATCH", path, json={"filter": other})["filter"] == other
    assert api.pages(f"/app/{app['id']}/endpoint")[0]["filter"] == other
    assert api.expect(200, "PATCH", path, json={"filter": None})["filter"] is None
    assert api.expect(200, "PUT", path, json={"url": endpoint["url"], "filter": LARGE})["filter"] == LARGE
    assert api.expect(200, "PUT", path, json={"url": endpoint["url"]})["filter"] is None


def test_numbers_are_kept_as_written(api, path):
    body = b'{"filter":{"path":"price","op":"lt","value":0.10000000000000000001}}'
    api.expect(200, "PATCH", path, content=body, headers={"Content-Type": "application/json"})
    assert b"0.10000000000000000001" in api.get(path).content
    assert try_out(api, path, {"price": 0.1})["matches"] is True


@pytest.mark.parametrize("wrong, loc", [
    (5, []),
    ({}, []),
    ({"all": []}, ["all"]),
    ({"all": [LARGE, {"path": "a", "op": "like", "value": 1}]}, ["all", "1", "op"]),
    ({"not": {"path": "a..b", "op": "exists"}}, ["not", "path"]),
    ({"path": "a", "op": "in", "value": [1, []]}, ["value", "1"]),
])
def test_a_wrong_filter_is_refused_with_its_place(api, app, path, endpoint, wrong, loc):
    for method, where, more in (("POST", f"/app/{app['id']}/endpoint", {"url": endpoint["url"]}),
                                ("PUT", path, {"url": endpoint["url"]}), ("PATCH", path, {}),
                                ("POST", f"{path}/filter/test", {"payload": {}})):
        answer = api.expect(422, method, where, json={"filter": wrong, **more})
        assert [d["loc"] for d in answer["detail"]] == [["body", "filter", *loc]]


def test_a_filter_can_be_tried_out(api, app, path, receiver):
    assert try_out(api, path, {"data": {"amount": 100}}) == \
        {"matches": True, "reason": "filter holds (gte): the value is 100"}
    assert try_out(api, path, {"data": {"amount": 99.5}})["matches"] is False
    assert try_out(api, path, {}, filter=None)["reason"] == "filter does not hold (gte): there is no such value"
    assert try_out(api, path, {"x": "yes"}, filter={"all": [{"path": "x", "op": "eq", "value": "no"}]}) == \
        {"matches": False, "reason": 'filter.all.0 does not hold (eq): the value is "yes"'}
    bare = api.new_endpoint(app, receiver.url())
    assert try_out(api, f"/app/{app['id']}/endpoint/{bare['id']}", {}) == \
        {"matches": True, "reason": "the endpoint has no filter"}
    answer = api.expect(422, "POST", f"{path}/filter/test", json={"payload": [1]})
    assert answer["detail"][0]["loc"] == ["body", "payload"]


def test_another_tenant_finds_no_endpoint(other, path):
    other.expect(404, "POST", f"{path}/filter/test", json={"payload": {}})


def test_messages_are_filtered(api, app, endpoint, receiver):
    api.new_event_type(kind := unique("filter.kind"))
    for amount in (1, 100, 99, 1e3, "100"):
        api.send(app, {"data": {"amount": amount}}, kind)
    last = api.send(app, {"data": {"amount": 101}}, kind)
    receiver.wait(3)
    api.wait_attempts(app, last, 1)
    assert sorted(r.body for r in receiver.got()) == [b'{"data":{"amount":%s}}' % n for n in (b"1000.0", b"100", b"101")]


def test_a_raw_body_is_filtered_by_its_payload(api, app, endpoint, receiver):
    for amount in (1, 100):
        api.send(app, {"data": {"amount": amount}}, transformationsParams={"rawPayload": f"<{amount}/>"})
    assert [r.body for r in receiver.wait(1)] == [b"<100/>"]


def test_replay_missing_passes_the_filter(api, app, receiver):
    messages = [api.send(app, {"data": {"amount": n}}) for n in (1, 100)]
    endpoint = api.new_endpoint(app, receiver.url(), filter=LARGE)
    task = api.expect(202, "POST", f"/app/{app['id']}/endpoint/{endpoint['id']}/replay-missing",
                      json={"since": "2020-01-01T00:00:00Z"})["id"]
    wait_for(lambda: api.expect(200, "GET", f"/background-task/{task}")["status"] == "finished", 30, "the task ends")
    assert [r.header("webhook-id") for r in receiver.wait(1)] == [messages[1]["id"]]
