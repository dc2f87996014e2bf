"""Many messages in one request."""
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from client import Api, unique

MESSAGE = {"eventType": "a.b", "payload": {}}


@pytest.fixture
def lax(server):
    """A client that may send what the document does not allow."""
    with Api(server.url, server.api_key, check=lambda _: None) as client:
        yield client


def send(api, app, messages, status=202, **more):
    answer = api.expect(status, "POST", f"/app/{app['id']}/msg/batch", json={"messages": messages}, **more)
    return answer["data"] if status == 202 else answer


def ids(api, app):
    return [m["id"] for m in api.pages(f"/app/{app['id']}/msg", limit=250, with_content="false")]


def metric(api, name):
    text = api.http.get(f"{api.url}/metrics").text
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name + " "))


def test_every_message_is_stored_and_delivered(api, app, receiver):
    api.new_endpoint(app, receiver.url("/hook"), channels=["x"])
    data = send(api, app, [{**MESSAGE, "payload": {"n": n}, "channels": ["x"], "tags": ["t"], "eventId": f"e{n}"} for n in range(20)])
    assert [entry["status"] for entry in data] == [202] * 20
    assert [entry["message"]["eventId"] for entry in data] == [f"e{n}" for n in range(20)]
    assert set(data[0]["message"]) == {"id", "eventId", "eventType", "channels", "tags", "timestamp"}
    stored = {m["id"]: m for m in api.pages(f"/app/{app['id']}/msg")}
    for n, entry in enumerate(data):
        assert stored[entry["message"]["id"]] == {**entry["message"], "payload": {"n": n}}
    assert sorted(json.loads(r.body)["n"] for r in receiver.wait(20)) == list(range(20))


def test_each_is_accepted_or_refused_for_itself(lax, app):
    lax.send(app, eventId="old")
    data = send(lax, app, [
        MESSAGE, {**MESSAGE, "eventType": "a b"}, {**MESSAGE, "eventId": "old"}, {**MESSAGE, "eventId": "new"}, [], None, {},
        {**MESSAGE, "eventId": "new"}, {**MESSAGE, "payload": {"x": "y" * 1_048_577}}, MESSAGE])
    assert [entry["status"] for entry in data] == [202, 422, 409, 202, 422, 422, 422, 409, 413, 202]
    assert [fault["loc"] for fault in data[1]["error"]["detail"]] == [["body", "eventType"]]
    assert [fault["loc"] for fault in data[6]["error"]["detail"]] == [["body", "eventType"], ["body", "payload"]]
    assert data[2]["error"]["code"] == data[7]["error"]["code"] == "conflict"
    assert data[8]["error"]["code"] == "payload_too_large"
    assert set(ids(lax, app)) >= {data[n]["message"]["id"] for n in (0, 3, 9)} and len(ids(lax, app)) == 4
    lax.check(lax.post(f"/app/{app['id']}/msg/batch", {"messages": [MESSAGE]}))


def test_a_thousand_messages_are_few_statements(api, app):
    before = metric(api, "posthorn_ingest_batches_total")
    data = send(api, app, [MESSAGE] * 1000)
    assert metric(api, "posthorn_ingest_batches_total") - before < 20
    made = [entry["message"]["id"] for entry in data]
    assert len(set(made)) == 1000 and set(ids(api, app)) == set(made)


@pytest.mark.parametrize("body", [
    {"messages": []}, {"messages": [MESSAGE] * 1001}, {"messages": {}}, {"messages": None}, {}, [], {"data": [MESSAGE]},
])
def test_refuses_what_is_no_batch(lax, app, body):
    lax.expect(422, "POST", f"/app/{app['id']}/msg/batch", json=body)
    assert ids(lax, app) == []


def test_refuses_what_is_no_json(api, app):
    answer = api.expect(422, "POST", f"/app/{app['id']}/msg/batch", content=b'{"messages":[{"eventType":"a","payload":{}},]}')
    assert answer["detail"][0]["type"] == "value_error.jsondecode"


def test_the_body_may_be_larger_than_that_of_one_message(api, app):
    large = {**MESSAGE, "payload": {"x": "y" * 1_000_000}}
    assert [entry["status"] for entry in send(api, app, [large] * 8)] == [202] * 8
    send(api, app, [large] * 9, status=413)
    for path in (f"/app/{app['id']}/msg", f"/app/{app['id']}/msg/batch/x", "/app"):
        answer = api.http.post(f"{api.url}/api/v1{path}", json={"messages": [large] * 2})
        assert answer.status_code == 413, path
    assert len(ids(api, app)) == 8


def test_the_same_request_again_tells_the_same(lax, app):
    headers = {"Idempotency-Key": unique("key")}
    lax.send(app, eventId="old")
    messages = [{**MESSAGE, "eventId": "e1"}, {**MESSAGE, "eventId": "old"}, {**MESSAGE, "tags": ["t"]}, {**MESSAGE, "eventType": ""}]
    first = send(lax, app, messages, headers=headers)
    assert [entry["status"] for entry in first] == [202, 409, 202, 422]
    assert send(lax, app, messages, headers=headers) == first
    others = send(lax, app, [{**MESSAGE, "eventType": "other"}] * 3, headers=headers)
    assert [others[0], others[2]] == [first[0], first[2]], "what is stored is told, not what came this time"
    assert others[1]["message"]["eventType"] == "other"
    assert len(ids(lax, app)) == 4
    assert send(lax, app, messages[2:3], headers={"Idempotency-Key": unique("key")})[0] != first[2]


def test_the_same_request_many_times_at_once_makes_each_message_once(api, app):
    headers = {"Idempotency-Key": unique("key")}
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: send(api, app, [MESSAGE] * 30, headers=headers), range(10)))
    assert all(answer == answers[0] for answer in answers)
    assert sorted(ids(api, app)) == sorted(entry["message"]["id"] for entry in answers[0])


def test_the_application_that_comes_along(api):
    uid = unique("app")
    api.expect(404, "POST", f"/app/{uid}/msg/batch", json={"messages": [MESSAGE]})
    data = send(api, {"id": uid}, [MESSAGE, {**MESSAGE, "application": {"name": "made"}}, MESSAGE])
    assert [entry["status"] for entry in data] == [202] * 3
    assert api.expect(200, "GET", f"/app/{uid}")["name"] == "made" and len(ids(api, {"id": uid})) == 3


def test_only_the_own_applications(other, app):
    other.expect(404, "POST", f"/app/{app['id']}/msg/batch", json={"messages": [MESSAGE]})
