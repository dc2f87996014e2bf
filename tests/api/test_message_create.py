"""Sending one message: what is refused, and what happens when many send the same."""
from concurrent.futures import ThreadPoolExecutor

import pytest
from client import unique

MESSAGE = {"eventType": "a.b", "payload": {"n": 1}}


def at_once(api, path, count, headers=None, **fields):
    """The answers of so many requests that are sent at the same time."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: api.post(path, {**MESSAGE, **fields}, headers=headers or {}), range(count)))


@pytest.mark.parametrize("fields, members", [
    ({"eventType": None}, ["eventType"]), ({"eventType": "a b"}, ["eventType"]), ({"eventType": "x" * 257}, ["eventType"]),
    ({"payload": []}, ["payload"]), ({"payload": None}, ["payload"]), ({"eventId": ""}, ["eventId"]),
    ({"channels": "x"}, ["channels"]), ({"channels": [f"c{n}" for n in range(6)]}, ["channels"]), ({"channels": [1]}, ["channels"]),
    ({"tags": {}}, ["tags"]), ({"tags": [f"t{n}" for n in range(9)]}, ["tags"]), ({"tags": ["x" * 129]}, ["tags"]),
    ({"tags": ["a,b"]}, ["tags"]), ({"tags": ["\u0000"]}, ["tags"]), ({"application": 1}, ["application"]),
    ({"application": {}}, ["name"]), ({"eventType": 1, "payload": 2, "tags": 3}, ["eventType", "payload", "tags"]),
])
def test_what_is_wrong_is_named(api, app, fields, members):
    answer = api.expect(422, "POST", f"/app/{app['id']}/msg", json={**MESSAGE, **fields})
    assert [fault["loc"] for fault in answer["detail"]] == [["body", member] for member in members]


@pytest.mark.parametrize("body, kind", [
    (b"", "value_error.jsondecode"), (b"{", "value_error.jsondecode"), (b"[]", "type_error.dict"), (b"null", "type_error.dict"),
])
def test_what_is_no_object_is_refused(api, app, body, kind):
    answer = api.expect(422, "POST", f"/app/{app['id']}/msg", content=body)
    assert [fault["type"] for fault in answer["detail"]] == [kind]


def test_eight_tags_and_five_channels(api, app):
    tags, channels = [f"t.{n}" for n in range(7)] + ["x" * 128], [f"c-{n}" for n in range(5)]
    sent = api.send(app, tags=tags, channels=channels)
    assert (sent["tags"], sent["channels"]) == (tags, channels)
    assert api.send(app, tags=[], channels=[])["tags"] is None


def test_many_at_once_with_one_key_make_one_message(api, app):
    answers = at_once(api, f"/app/{app['id']}/msg", 50, {"Idempotency-Key": unique("key")}, eventId=unique("event"))
    assert {answer.status_code for answer in answers} == {202} and len({answer.content for answer in answers}) == 1
    assert [m["id"] for m in api.pages(f"/app/{app['id']}/msg")] == [answers[0].json()["id"]]


def test_many_at_once_with_one_event_id_make_one_message(api, app):
    answers = at_once(api, f"/app/{app['id']}/msg", 20, eventId=unique("event"))
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 19
    assert len(api.pages(f"/app/{app['id']}/msg")) == 1


def test_a_key_is_one_of_its_path(api, app):
    headers, second = {"Idempotency-Key": unique("key")}, api.new_app()
    first = api.expect(202, "POST", f"/app/{app['id']}/msg", json=MESSAGE, headers=headers)
    assert api.expect(202, "POST", f"/app/{second['id']}/msg", json=MESSAGE, headers=headers)["id"] != first["id"]


# ---- the application that comes along ----


def test_many_first_messages_at_once_make_one_application(api):
    uid, name = unique("app"), unique("name")
    answers = at_once(api, f"/app/{uid}/msg", 50, application={"name": name, "metadata": {"plan": "big"}})
    assert {answer.status_code for answer in answers} == {202}
    made = api.expect(200, "GET", f"/app/{uid}")
    assert (made["uid"], made["name"], made["metadata"]) == (uid, name, {"plan": "big"})
    assert [a["uid"] for a in api.pages("/app", limit=250) if a["name"] == name] == [uid]
    assert {m["id"] for m in api.pages(f"/app/{uid}/msg")} == {answer.json()["id"] for answer in answers}


def test_many_first_messages_with_one_key_make_one_message(api):
    uid = unique("app")
    answers = at_once(api, f"/app/{uid}/msg", 20, {"Idempotency-Key": unique("key")}, application={"name": "x", "uid": uid})
    assert {answer.status_code for answer in answers} == {202} and len({answer.content for answer in answers}) == 1
    assert len(api.pages(f"/app/{uid}/msg")) == 1


def test_application_that_is_there_stays_as_it_is(api):
    app = api.new_app(uid=unique("app"), name="before")
    for path in (app["id"], app["uid"]):
        api.send(path, application={"name": "after", "uid": unique("other")})
    assert api.expect(200, "GET", f"/app/{app['id']}") == app


def test_application_is_made_only_under_the_uid_of_the_path(api):
    uid = unique("app")
    answer = api.expect(422, "POST", f"/app/{uid}/msg", json={**MESSAGE, "application": {"name": "x", "uid": unique("other")}})
    assert answer["detail"][0]["loc"] == ["body", "application"]
    for path in (uid, "app_0000000000000000000000", "app_nonsense", "%25operational"):
        api.expect(404, "POST", f"/app/{path}/msg", json=MESSAGE)
        if path != uid:
            api.expect(404, "POST", f"/app/{path}/msg", json={**MESSAGE, "application": {"name": "x"}})
    api.expect(404, "GET", f"/app/{uid}")


def test_application_of_another_tenant_is_none(api, other):
    app = api.new_app(uid=unique("app"))
    theirs = other.send(app["uid"], application={"name": "theirs"})
    assert other.expect(200, "GET", f"/app/{app['uid']}")["name"] == "theirs"
    assert api.pages(f"/app/{app['uid']}/msg") == [] and [m["id"] for m in other.pages(f"/app/{app['uid']}/msg")] == [theirs["id"]]
