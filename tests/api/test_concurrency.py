"""The same thing asked many times at once."""
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from client import unique

MANY = 50
URL = "http://127.0.0.1:9/"


def at_once(*calls):
    """Runs all of them at once; what they return, in order."""
    barrier = Barrier(len(calls))

    def run(call):
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def times(count, call):
    return at_once(*[call] * count)


def statuses(answers):
    return Counter(answer.status_code for answer in answers)


def test_one_idempotency_key_makes_one_message(api, app):
    key = {"Idempotency-Key": unique("key")}
    body = {"eventType": "a.b", "payload": {"n": 1}, "eventId": unique("event")}
    answers = times(MANY, lambda: api.post(f"/app/{app['id']}/msg", body, headers=key))
    assert statuses(answers) == {202: MANY} and len({answer.content for answer in answers}) == 1
    assert [m["id"] for m in api.pages(f"/app/{app['id']}/msg")] == [answers[0].json()["id"]]


@pytest.mark.parametrize("path, body", [
    ("/app", {"name": "one"}),
    ("/event-type", {"description": "one"}),
    ("/operational-webhook/endpoint", {"url": URL}),
    ("/api-key", {"name": "one"}),
    ("/app/{app}/endpoint", {"url": URL}),
    ("/app/{app}/msg/batch", {"messages": [{"eventType": "a.b", "payload": {}}] * 3}),
])
def test_one_idempotency_key_makes_one_of_anything(api, app, path, body):
    key, name = {"Idempotency-Key": unique("key")}, {"name": unique("a")} if path == "/event-type" else {}
    answers = times(MANY, lambda: api.post(path.format(app=app["id"]), {**body, **name}, headers=key))
    assert len(statuses(answers)) == 1 and answers[0].is_success, statuses(answers)
    assert len({answer.content for answer in answers}) == 1


def test_one_uid_makes_one_application(api):
    uid = unique("app")
    answers = times(MANY, lambda: api.post("/app", {"name": "one", "uid": uid}))
    assert statuses(answers) == {201: 1, 409: MANY - 1}
    made = [answer.json()["id"] for answer in answers if answer.status_code == 201]
    assert api.expect(200, "GET", f"/app/{uid}")["id"] == made[0]


def test_get_if_exists_makes_one_application_and_gives_it_to_all(api):
    uid = unique("app")
    answers = times(MANY, lambda: api.post("/app", {"name": "one", "uid": uid}, params={"get_if_exists": "true"}))
    assert statuses(answers) == {201: 1, 200: MANY - 1}
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_put_makes_one_application_endpoint_and_event_type(api, app):
    uid = unique("put")
    for path, body in ((f"/app/{uid}", {"name": "one", "uid": uid}), (f"/event-type/{uid}", {"description": "one"}),
                       (f"/app/{app['id']}/endpoint/{uid}", {"url": URL, "uid": uid})):
        answers = times(MANY, lambda: api.put(path, body))
        assert statuses(answers) == {201: 1, 200: MANY - 1}, path


def test_one_uid_makes_one_endpoint(api, app):
    answers = times(MANY, lambda: api.post(f"/app/{app['id']}/endpoint", {"url": URL, "uid": "hook"}))
    assert statuses(answers) == {201: 1, 409: MANY - 1}
    assert len(api.pages(f"/app/{app['id']}/endpoint")) == 1


def test_messages_that_make_their_application_make_one(api):
    uid = unique("made")
    body = {"eventType": "a.b", "payload": {}, "application": {"name": "made", "uid": uid}}
    assert statuses(times(MANY, lambda: api.post(f"/app/{uid}/msg", body))) == {202: MANY}
    assert len(api.pages(f"/app/{uid}/msg")) == MANY


def test_making_changing_and_deleting_the_same_never_fails(api, app):
    uid = unique("race")
    event = {"description": "one"}
    for path, made, change in ((f"/app/{uid}", {"name": "one", "uid": uid}, {"name": "two"}),
                               (f"/event-type/{uid}", event, {"deprecated": True}),
                               (f"/app/{app['id']}/endpoint/{uid}", {"url": URL, "uid": uid}, {"paused": True})):
        calls = [lambda: api.put(path, made), lambda: api.patch(path, change), lambda: api.get(path), lambda: api.delete(path)]
        seen = statuses(at_once(*calls * 12))
        assert set(seen) <= {200, 201, 204, 404, 409}, (path, seen)


def test_messages_to_what_is_deleted_are_taken_or_not_found(api):
    uid = unique("race")
    body = {"eventType": "a.b", "payload": {}}
    calls = [lambda: api.put(f"/app/{uid}", {"name": "one", "uid": uid}), lambda: api.post(f"/app/{uid}/msg", body),
             lambda: api.put(f"/app/{uid}/endpoint/hook", {"url": URL, "uid": "hook"}), lambda: api.delete(f"/app/{uid}")]
    seen = statuses(at_once(*calls * 12))
    assert set(seen) <= {200, 201, 202, 204, 404, 409}, seen


def test_changes_of_different_members_are_all_kept(api):
    made = api.new_app(uid=unique("patch"))
    path = f"/app/{made['id']}"
    changes = {"name": "changed", "metadata": {"a": "b"}, "throttleRate": 7}
    at_once(*[lambda change={name: value}: api.expect(200, "PATCH", path, json=change) for name, value in changes.items()] * 5)
    assert api.expect(200, "GET", path).items() >= changes.items()
    endpoint = f"{path}/endpoint/" + api.new_endpoint(made, URL)["id"]
    changes = {"description": "changed", "metadata": {"a": "b"}, "throttleRate": 7, "disabled": True, "channels": ["c"], "paused": True}
    at_once(*[lambda change={name: value}: api.expect(200, "PATCH", endpoint, json=change) for name, value in changes.items()] * 5)
    assert api.expect(200, "GET", endpoint).items() >= changes.items()
