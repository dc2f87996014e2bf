"""Idempotency-Key: what changes something is done once, and whoever asks again gets the same answer."""
from concurrent.futures import ThreadPoolExecutor

import pytest
from client import unique
from history import to_uuid

NOWHERE = "http://127.0.0.1:9/"
PARALLEL = 50


def key():
    return {"Idempotency-Key": unique("key")}


def at_once(api, method, path, headers, json, count=PARALLEL):
    with ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(lambda _: api.request(method, path, json=json, headers=headers), range(count)))
    assert {a.status_code for a in answers} == {answers[0].status_code}, {a.text for a in answers}
    assert len({a.content for a in answers}) == 1
    return answers[0]


@pytest.fixture
def endpoint(api, app):
    return api.new_endpoint(app, NOWHERE)


@pytest.fixture
def message(api, app, endpoint):
    return api.send(app)


@pytest.fixture
def routes(app, endpoint, message):
    """Operations that make something new each time they are done: path, body, and how to count what is there."""
    at = f"/app/{app['id']}"

    def tasks(api):
        return sum(t["data"]["appId"] == app["id"] for t in api.pages("/background-task"))

    name, since = unique("app"), "2020-01-01T00:00:00Z"
    return {
        "application": ("/app", {"name": name}, lambda api: sum(a["name"] == name for a in api.pages("/app"))),
        "endpoint": (f"{at}/endpoint", {"url": NOWHERE}, lambda api: len(api.pages(f"{at}/endpoint"))),
        "message": (f"{at}/msg", {"eventType": "a", "payload": {"n": 1}}, lambda api: len(api.pages(f"{at}/msg"))),
        "example": (f"{at}/endpoint/{endpoint['id']}/send-example", {"eventType": "a"}, lambda api: len(api.pages(f"{at}/msg"))),
        "recover": (f"{at}/endpoint/{endpoint['id']}/recover", {"since": since}, tasks),
        "operational": ("/operational-webhook/endpoint", {"url": NOWHERE},
                        lambda api: len(api.pages("/operational-webhook/endpoint"))),
    }


@pytest.mark.parametrize("what", ["application", "endpoint", "message", "example", "recover", "operational"])
def test_many_at_once_make_one(api, routes, what):
    path, body, count = routes[what]
    before, headers = count(api), key()
    answer = at_once(api, "POST", path, headers, body)
    assert answer.is_success
    assert count(api) == before + 1
    again = api.post(path, body, headers=headers)
    assert (again.status_code, again.content) == (answer.status_code, answer.content)
    assert again.headers["content-type"] == answer.headers["content-type"]
    assert count(api) == before + 1
    assert api.post(path, body, headers=key()).is_success
    assert api.post(path, body).is_success
    assert count(api) == before + 3


def test_event_types_do_not_conflict_with_themselves(api):
    at_once(api, "POST", "/event-type", key(), {"name": unique("type"), "description": ""})


def test_a_rotation_happens_once(api, app, endpoint):
    path = f"/app/{app['id']}/endpoint/{endpoint['id']}/secret"
    headers = key()
    rotated = at_once(api, "POST", f"{path}/rotate", headers, {}, 8).json()
    assert api.expect(200, "GET", path) == rotated
    other = api.expect(200, "POST", f"{path}/rotate", json={}, headers=key())
    assert other != rotated
    assert api.expect(200, "POST", f"{path}/rotate", json={}, headers=headers) == rotated
    assert api.expect(200, "GET", path) == other


def test_no_answer_is_kept_in_plain_text(server, api, app, endpoint):
    path = f"/app/{app['id']}/endpoint/{endpoint['id']}/secret/rotate"
    secret = api.expect(200, "POST", path, json={}, headers=key())["key"]
    with server.database() as rows:
        kept = [bytes(row[0]) for row in rows.execute("SELECT sealed FROM kept_answers WHERE status = 200")]
    assert kept and not any(secret.encode() in one or b'"key"' in one for one in kept)


def test_a_resend_happens_once(api, app, receiver):
    endpoint = api.new_endpoint(app, receiver.url())
    message = api.send(app)
    api.wait_attempts(app, message, 1)
    path, headers = f"/app/{app['id']}/msg/{message['id']}/endpoint/{endpoint['id']}/resend", key()
    at_once(api, "POST", path, headers, None, 8)
    api.wait_attempts(app, message, 2)
    api.expect(202, "POST", path, headers=headers)
    api.expect(202, "POST", path, headers=key())
    assert len(api.wait_attempts(app, message, 3)) == 3


def test_a_test_attempt_happens_once(api, app, receiver):
    endpoint = api.new_endpoint(app, receiver.url())
    path, body = f"/app/{app['id']}/endpoint/{endpoint['id']}/msg/test-attempt", {"eventType": "a", "payload": {}}
    headers = key()
    first = api.expect(201, "POST", path, json=body, headers=headers)
    assert api.expect(201, "POST", path, json=body, headers=headers) == first
    assert len(receiver.got()) == 1


def test_an_empty_answer_is_kept(server, api, app, endpoint):
    path, headers = f"/app/{app['id']}/endpoint/{endpoint['id']}/cancel-msgs", key()
    for _ in range(2):
        assert api.expect(204, "POST", path, json={"createdBefore": "2030-01-01T00:00:00Z"}, headers=headers) is None
    with server.database() as rows:
        assert rows.execute("SELECT count(*) FROM kept_answers WHERE tenant_id = %s AND status = 204 AND octet_length(sealed) < 60",
                            [to_uuid(server.tenant_id)]).fetchone()[0] >= 1


def test_a_refusal_frees_the_key(api):
    headers, uid = key(), unique("app")
    assert at_once(api, "POST", "/app", headers, {"name": ""}, 8).status_code == 422
    api.expect(422, "POST", "/app", json={"uid": "app_x"}, headers=headers)
    made = api.expect(201, "POST", "/app", json={"name": "x", "uid": uid}, headers=headers)
    api.expect(409, "POST", "/app", json={"name": "x", "uid": uid}, headers=key())
    assert api.expect(201, "POST", "/app", json={"name": "x", "uid": uid}, headers=headers) == made


def test_a_conflict_leaves_nothing(api, app):
    uid = unique("ep")
    api.new_endpoint(app, NOWHERE, uid=uid)
    path, headers = f"/app/{app['id']}/endpoint", key()
    api.expect(409, "POST", path, json={"url": NOWHERE, "uid": uid}, headers=headers)
    assert len(api.pages(path)) == 1
    api.expect(201, "POST", path, json={"url": NOWHERE, "uid": unique("ep")}, headers=headers)
    assert len(api.pages(path)) == 2


def test_get_if_exists_finds_what_another_made(api):
    uid = unique("app")
    made = api.expect(201, "POST", "/app", json={"name": "x", "uid": uid}, headers=key())
    headers = key()
    for _ in range(2):
        found = api.expect(200, "POST", "/app", json={"name": "y", "uid": uid}, params={"get_if_exists": "true"}, headers=headers)
        assert found == made


def test_a_key_counts_for_its_path_and_credential_only(api, other, app):
    headers, second = key(), api.new_app()
    made = [api.expect(201, "POST", f"/app/{a['id']}/endpoint", json={"url": NOWHERE}, headers=headers) for a in (app, second)]
    assert made[0]["id"] != made[1]["id"]
    mine, theirs = (c.expect(201, "POST", "/app", json={"name": "x"}, headers=headers) for c in (api, other))
    assert mine["id"] != theirs["id"]
    other.expect(404, "POST", f"/app/{app['id']}/endpoint", json={"url": NOWHERE}, headers=headers)


def test_an_old_answer_is_not_given(server, api):
    headers = key()
    first = api.expect(201, "POST", "/app", json={"name": "x"}, headers=headers)
    with server.database() as rows:
        rows.execute("UPDATE kept_answers SET created_at = created_at - interval '12 hours'")
    assert api.expect(201, "POST", "/app", json={"name": "x"}, headers=headers)["id"] != first["id"]


def test_reading_is_not_kept(server, api):
    with server.database() as rows:
        def kept():
            return rows.execute("SELECT count(*) FROM kept_answers").fetchone()
        before = kept()
        api.expect(200, "GET", "/app", headers=key())
        api.expect(204, "DELETE", f"/app/{api.new_app()['id']}", headers=key())
        assert kept() == before


def test_two_nodes_make_one(start_node):
    nodes = [start_node(), start_node()]
    with nodes[0].api() as one, nodes[1].api() as two:
        for path, body in (("/app", {"name": "x"}), ("/event-type", {"name": "x", "description": ""})):
            headers = key()
            with ThreadPoolExecutor(PARALLEL) as pool:
                answers = list(pool.map(lambda n: (one, two)[n % 2].post(path, body, headers=headers), range(PARALLEL)))
            assert {a.status_code for a in answers} == {201}, {a.text for a in answers}
            assert len({a.content for a in answers}) == 1
            assert len(one.pages(path)) == 1


def test_many_different_keys_pass(api):
    """More at once than there are connections for transactions."""
    with ThreadPoolExecutor(PARALLEL) as pool:
        made = list(pool.map(lambda _: api.expect(201, "POST", "/app", json={"name": "x"}, headers=key()), range(4 * PARALLEL)))
    assert len({a["id"] for a in made}) == 4 * PARALLEL
