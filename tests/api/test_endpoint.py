"""Endpoints with their secrets and custom headers."""
import base64
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from client import Api, unique
from wait import SLOWNESS

URL = "https://receiver.example/hook"


def path(app, endpoint, rest=""):
    return f"/app/{app['id']}/endpoint/{endpoint['id']}{rest}"


def whsec(n):
    return "whsec_" + base64.b64encode(os.urandom(n)).decode()


def versions(server, app):
    """(config_version of the application, versions of its endpoints)"""
    with server.database() as db:
        from_app = db.execute("SELECT a.id, config_version FROM applications a WHERE uid = %s", (app["uid"],)).fetchone()
        rows = db.execute("SELECT version FROM endpoints WHERE application_id = %s ORDER BY id", (from_app[0],)).fetchall()
    return from_app[1], [row[0] for row in rows]


def together(server, app, count, call):
    """(statuses of so many requests, whether two or more had read what they change before any changed it)"""
    def one(i):
        with Api(server.url, server.api_key) as client:
            return call(client, i).status_code

    with server.database() as db, ThreadPoolExecutor(count) as pool:
        with db.transaction():
            db.execute("SELECT FROM applications WHERE uid = %s FOR UPDATE", (app["uid"],))
            answers = [pool.submit(one, i) for i in range(count)]
            waiting, end = 0, time.monotonic() + SLOWNESS
            while waiting < 2 and time.monotonic() < end:
                waiting = db.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()[0]
                time.sleep(0.01)
        return [answer.result() for answer in answers], waiting >= 2


@pytest.fixture
def app(api):
    return api.new_app(uid=unique("app"))


@pytest.fixture
def endpoint(api, app):
    return api.new_endpoint(app, URL)


def test_create_and_get(api, app):
    made = api.new_endpoint(app, URL, uid="hook", description="Theirs.", eventTypes=["a.b", "c"], channels=["x"],
                            metadata={"team": "ops"}, throttleRate=7, disabled=True)
    assert made["id"].startswith("ep_") and made["uid"] == "hook" and made["url"] == URL
    assert made["description"] == "Theirs." and made["eventTypes"] == ["a.b", "c"] and made["channels"] == ["x"]
    assert made["metadata"] == {"team": "ops"} and made["throttleRate"] == 7 and made["disabled"] is True
    assert api.expect(200, "GET", path(app, made)) == made
    assert api.expect(200, "GET", f"/app/{app['uid']}/endpoint/hook/") == made


def test_defaults(endpoint):
    assert endpoint["description"] == "" and endpoint["disabled"] is False and endpoint["metadata"] == {}
    assert endpoint["eventTypes"] is None and endpoint["channels"] is None
    assert endpoint["throttleRate"] is None and endpoint["uid"] is None


def test_empty_filters_take_all(api, app):
    made = api.new_endpoint(app, URL, eventTypes=[], channels=[])
    assert made["eventTypes"] is None and made["channels"] is None


@pytest.mark.parametrize("field, value", [
    ("url", None), ("url", ""), ("url", "ftp://x.example/"), ("url", "https://user:pw@x.example/"), ("url", "x.example"),
    ("url", "https://x.example:0/"), ("url", "https://x.example/\r\nEvil: 1"), ("url", 7),
    ("uid", ""), ("uid", "ep_x"), ("uid", "a b"), ("uid", "x" * 257),
    ("throttleRate", 0), ("throttleRate", 65536), ("throttleRate", "7"), ("disabled", "no"),
    ("channels", ["a b"]), ("channels", [str(i) for i in range(11)]), ("channels", ["x" * 129]), ("channels", "x"),
    ("eventTypes", ["a/b"]), ("eventTypes", [7]), ("eventTypes", ["x" * 257]),
    ("metadata", {"a": 1}), ("metadata", []), ("description", 7),
    ("secret", "secret"), ("secret", "whsec_" + base64.b64encode(b"x" * 23).decode()), ("secret", "whsec_!"),
])
def test_refuses_a_wrong_field(api, app, field, value):
    answer = api.expect(422, "POST", f"/app/{app['id']}/endpoint", json={"url": URL, field: value})
    assert [fault["loc"] for fault in answer["detail"]] == [["body", field]]


def test_url_is_required(api, app):
    answer = api.expect(422, "POST", f"/app/{app['id']}/endpoint", json={})
    assert answer["detail"][0]["loc"] == ["body", "url"] and answer["detail"][0]["type"] == "value_error.missing"


def test_uid_is_unique_within_its_application_and_free_after_delete(api, app):
    first = api.new_endpoint(app, URL, uid="one")
    assert api.expect(409, "POST", f"/app/{app['id']}/endpoint", json={"url": URL, "uid": "one"})["code"] == "conflict"
    api.new_endpoint(api.new_app(), URL, uid="one")
    api.expect(204, "DELETE", f"/app/{app['id']}/endpoint/one")
    api.expect(404, "GET", path(app, first))
    assert api.new_endpoint(app, URL, uid="one")["id"] != first["id"]


def test_unknown_application_or_endpoint(api, app, endpoint):
    api.expect(404, "GET", "/app/none/endpoint")
    api.expect(404, "POST", "/app/none/endpoint", json={"url": URL})
    elsewhere = api.new_app()
    for method, rest, body in [("GET", "", None), ("PUT", "", {"url": URL}), ("PATCH", "", {"description": "x"}),
                               ("DELETE", "", None), ("GET", "/secret", None), ("POST", "/secret/rotate", {}),
                               ("GET", "/headers", None), ("PUT", "/headers", {"headers": {}}),
                               ("PATCH", "/headers", {"headers": {}}), ("GET", "/stats", None), ("GET", "/msg", None)]:
        api.expect(404, method, path(elsewhere, endpoint, rest), json=body)
    api.expect(200, "GET", path(app, endpoint))


def test_put_replaces_all(api, app):
    made = api.new_endpoint(app, URL, uid="hook", description="x", eventTypes=["a"], channels=["b"], metadata={"a": "b"},
                            throttleRate=1, disabled=True)
    replaced = api.expect(200, "PUT", path(app, made), json={"url": URL + "2"})
    assert replaced["id"] == made["id"] and replaced["url"] == URL + "2" and replaced["uid"] is None
    assert replaced["description"] == "" and replaced["disabled"] is False and replaced["metadata"] == {}
    assert replaced["eventTypes"] is None and replaced["channels"] is None and replaced["throttleRate"] is None
    assert replaced["createdAt"] == made["createdAt"] and replaced["updatedAt"] >= made["updatedAt"]


def test_put_by_uid_creates_and_then_keeps_the_uid(api, app):
    made = api.expect(201, "PUT", f"/app/{app['id']}/endpoint/hook", json={"url": URL})
    assert made["uid"] == "hook" and api.secret(app, made).startswith("whsec_")
    again = api.expect(200, "PUT", f"/app/{app['id']}/endpoint/hook", json={"url": URL + "2"})
    assert again["id"] == made["id"] and again["uid"] == "hook" and again["url"] == URL + "2"


def test_put_of_what_cannot_be_made(api, app, endpoint):
    api.expect(204, "DELETE", path(app, endpoint))
    api.expect(404, "PUT", path(app, endpoint), json={"url": URL})
    api.expect(422, "PUT", f"/app/{app['id']}/endpoint/a%20b", json={"url": URL})
    api.expect(404, "PUT", "/app/none/endpoint/hook", json={"url": URL})
    api.new_endpoint(app, URL, uid="taken")
    other = api.new_endpoint(app, URL)
    assert api.expect(409, "PUT", path(app, other), json={"url": URL, "uid": "taken"})["code"] == "conflict"


def test_simultaneous_puts_of_a_new_uid_make_one_endpoint(server, api, app):
    def put(i):
        with Api(server.url, server.api_key) as client:
            return client.put(f"/app/{app['id']}/endpoint/raced", {"url": f"{URL}{i}"})
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(put, range(8)))
    assert sorted(a.status_code for a in answers) == [200] * 7 + [201]
    assert len({a.json()["id"] for a in answers}) == 1
    assert len(api.pages(f"/app/{app['id']}/endpoint")) == 1


def test_patch_changes_only_what_it_names(api, app):
    made = api.new_endpoint(app, URL, uid="hook", description="x", eventTypes=["a"], channels=["b"], metadata={"a": "b"},
                            throttleRate=1)
    patched = api.expect(200, "PATCH", path(app, made), json={"disabled": True})
    assert patched == {**made, "disabled": True, "updatedAt": patched["updatedAt"]}
    patched = api.expect(200, "PATCH", path(app, made), json={"uid": None, "eventTypes": None, "throttleRate": None,
                                                              "channels": ["c"], "url": URL + "2", "description": ""})
    assert patched["uid"] is None and patched["eventTypes"] is None and patched["throttleRate"] is None
    assert patched["channels"] == ["c"] and patched["url"] == URL + "2" and patched["description"] == ""
    assert patched["metadata"] == {"a": "b"} and patched["disabled"] is True
    answer = api.expect(422, "PATCH", path(app, made), json={"url": None})
    assert answer["detail"][0]["loc"] == ["body", "url"]


def test_list_newest_first_in_pages_both_ways(api, app):
    made = [api.new_endpoint(app, URL)["id"] for _ in range(5)]
    where = f"/app/{app['id']}/endpoint"
    assert [e["id"] for e in api.pages(where, limit=2)] == made[::-1]
    assert [e["id"] for e in api.pages(where, limit=2, order="ascending")] == made
    first = api.expect(200, "GET", where, params={"limit": 2})
    assert first["iterator"] == made[3] and first["prevIterator"] == "-" + made[4]
    second = api.expect(200, "GET", where, params={"limit": 2, "iterator": first["iterator"]})
    back = api.expect(200, "GET", where, params={"limit": 1, "iterator": second["prevIterator"]})
    assert [e["id"] for e in back["data"]] == [made[3]] and not back["done"]
    empty = api.expect(200, "GET", f"/app/{api.new_app()['id']}/endpoint")
    assert empty == {"data": [], "iterator": None, "done": True}


def test_every_change_grows_both_versions(server, api, app):
    """What ingest relies on to see that its snapshot is old."""
    made = api.new_endpoint(app, URL)
    before = versions(server, app)
    changes = [("PATCH", "", {"description": "x"}), ("PUT", "", {"url": URL}), ("POST", "/secret/rotate", {}),
               ("PUT", "/headers", {"headers": {"X-A": "1"}}), ("PATCH", "/headers", {"headers": {"X-B": "1"}})]
    for i, (method, rest, body) in enumerate(changes, 1):
        assert api.request(method, path(app, made, rest), json=body).is_success
        assert versions(server, app) == (before[0] + i, [before[1][0] + i])
    api.expect(204, "DELETE", path(app, made))
    assert versions(server, app) == (before[0] + len(changes) + 1, [])


def test_every_change_notifies_the_nodes(server, api, app):
    with server.database() as db:
        db.execute("SELECT hear_news()")
        made = api.new_endpoint(app, URL)
        api.expect(200, "PATCH", path(app, made), json={"description": "x"})
        api.expect(200, "POST", path(app, made, "/secret/rotate"), json={})
        api.expect(204, "PUT", path(app, made, "/headers"), json={"headers": {}})
        api.expect(204, "DELETE", path(app, made))
        app_id = db.execute("SELECT id FROM applications WHERE uid = %s", (app["uid"],)).fetchone()[0]
        told = [n.payload for n in db.notifies(timeout=5, stop_after=10)]
    assert told.count(f"app:{app_id}") == 5 and sum(t.startswith("ep:") for t in told) == 5
    assert len(set(told)) == 2


def test_other_tenant_sees_and_changes_nothing(api, other, app, endpoint):
    other.expect(404, "GET", f"/app/{app['id']}/endpoint")
    theirs = other.new_app()
    for app_id in (app["id"], app["uid"], theirs["id"]):
        where = f"/app/{app_id}/endpoint/{endpoint['id']}"
        for method, rest, body in [("GET", "", None), ("PUT", "", {"url": URL}), ("PATCH", "", {"disabled": True}),
                                   ("DELETE", "", None), ("GET", "/secret", None), ("POST", "/secret/rotate", {}),
                                   ("GET", "/headers", None), ("PUT", "/headers", {"headers": {}}),
                                   ("PATCH", "/headers", {"headers": {}}), ("GET", "/stats", None), ("GET", "/msg", None)]:
            other.expect(404, method, where + rest, json=body)
    other.expect(404, "POST", f"/app/{app['id']}/endpoint", json={"url": URL})
    assert api.expect(200, "GET", path(app, endpoint)) == endpoint


# ---- secrets ----


def test_new_secret_is_random(api, app, endpoint):
    key = api.secret(app, endpoint)
    assert key.startswith("whsec_") and len(base64.b64decode(key[6:], validate=True)) == 32
    assert api.secret(app, api.new_endpoint(app, URL)) != key


@pytest.mark.parametrize("size", [24, 64, 75])
def test_own_secret_is_kept(api, app, size):
    key = whsec(size)
    assert api.secret(app, api.new_endpoint(app, URL, secret=key)) == key


def test_secrets_are_sealed_in_the_database(server, api, app):
    key = whsec(32)
    api.new_endpoint(app, URL, secret=key)
    with server.database() as db:
        rows = db.execute("SELECT s.sealed FROM endpoint_secrets s JOIN endpoints e ON e.id = s.endpoint_id "
                          "JOIN applications a ON a.id = e.application_id WHERE a.uid = %s", (app["uid"],)).fetchall()
    assert len(rows) == 1 and base64.b64decode(key[6:]) not in bytes(rows[0][0])


def old_secrets(server, app):
    """Seconds that each old secret still signs along, and how many current ones there are."""
    with server.database() as db:
        rows = db.execute("SELECT extract(epoch FROM s.expires_at - now()) FROM endpoint_secrets s "
                          "JOIN endpoints e ON e.id = s.endpoint_id JOIN applications a ON a.id = e.application_id "
                          "WHERE a.uid = %s", (app["uid"],)).fetchall()
    left = sorted(float(row[0]) for row in rows if row[0] is not None)
    return left, len(rows) - len(left)


def test_rotate_makes_a_new_one_and_keeps_the_old_for_a_day(server, api, app, endpoint):
    old = api.secret(app, endpoint)
    api.expect(200, "POST", path(app, endpoint, "/secret/rotate"), json={})
    assert api.secret(app, endpoint) != old
    left, current = old_secrets(server, app)
    assert current == 1 and len(left) == 1 and 86000 < left[0] <= 86400


def test_rotate_to_an_own_key_with_a_grace_period(server, api, app, endpoint):
    key = whsec(40)
    api.expect(200, "POST", path(app, endpoint, "/secret/rotate"), json={"key": key, "gracePeriodSeconds": 604800})
    assert api.secret(app, endpoint) == key
    left, current = old_secrets(server, app)
    assert current == 1 and 604000 < left[0] <= 604800


def test_rotate_without_grace_deletes_the_old(server, api, app, endpoint):
    api.expect(200, "POST", path(app, endpoint, "/secret/rotate"), json={"gracePeriodSeconds": 0})
    assert old_secrets(server, app) == ([], 1)


def test_rotate_keeps_at_most_ten_old(server, api, app, endpoint):
    for _ in range(10):
        api.expect(200, "POST", path(app, endpoint, "/secret/rotate"), json=None)
    key = api.secret(app, endpoint)
    assert "10 old" in api.expect(400, "POST", path(app, endpoint, "/secret/rotate"), json={})["detail"]
    assert api.secret(app, endpoint) == key
    api.expect(200, "POST", path(app, endpoint, "/secret/rotate"), json={"gracePeriodSeconds": 0})
    assert len(old_secrets(server, app)[0]) == 10


@pytest.mark.parametrize("body", [{"key": "whsec_x"}, {"key": 1}, {"gracePeriodSeconds": -1}, {"gracePeriodSeconds": 604801},
                                  {"gracePeriodSeconds": "1"}])
def test_rotate_refuses_wrong_fields(api, app, endpoint, body):
    api.expect(422, "POST", path(app, endpoint, "/secret/rotate"), json=body)


def test_simultaneous_rotations_leave_one_current_secret(server, app, endpoint):
    for count in range(2, 11, 2):  # two that meet the same connection wait for each other there
        done, met = together(server, app, 2, lambda client, _: client.post(path(app, endpoint, "/secret/rotate"), {}))
        assert done == [200] * 2
        left, current = old_secrets(server, app)
        assert current == 1 and len(left) == count
        if met:
            break


# ---- headers ----


def headers_of(api, app, endpoint):
    return api.expect(200, "GET", path(app, endpoint, "/headers"))


def test_headers_put_patch_get(api, app, endpoint):
    where = path(app, endpoint, "/headers")
    assert headers_of(api, app, endpoint) == {"headers": {}, "sensitive": []}
    api.expect(204, "PUT", where, json={"headers": {"X-Team": "ops", "Authorization": "Bearer t", "X-Old": "1"}})
    assert headers_of(api, app, endpoint) == {"headers": {"X-Team": "ops", "X-Old": "1"}, "sensitive": ["Authorization"]}
    api.expect(204, "PATCH", where, json={"headers": {"x-team": "dev", "X-Old": None, "X-Api-Key": "k", "X-None": None}})
    shown = headers_of(api, app, endpoint)
    assert shown["headers"] == {"x-team": "dev"} and sorted(shown["sensitive"]) == ["Authorization", "X-Api-Key"]
    api.expect(204, "PUT", where, json={"headers": {}})
    assert headers_of(api, app, endpoint) == {"headers": {}, "sensitive": []}


def test_headers_are_sent_and_sealed(server, api, app, receiver):
    made = api.new_endpoint(app, receiver.url("/hook"))
    api.expect(204, "PUT", path(app, made, "/headers"), json={"headers": {"X-Team": "ops", "Authorization": "Bearer hidden"}})
    api.send(app)
    request = receiver.wait(1, "/hook")[0]
    assert request.header("X-Team") == "ops" and request.header("Authorization") == "Bearer hidden"
    with server.database() as db:
        sealed = db.execute("SELECT headers_sealed FROM endpoints e JOIN applications a ON a.id = e.application_id "
                            "WHERE a.uid = %s", (app["uid"],)).fetchone()[0]
    assert b"hidden" not in bytes(sealed) and b"Team" not in bytes(sealed)


@pytest.mark.parametrize("headers", [
    {"X-A": "b\r\nEvil: 1"}, {"X-A": "b\x01"}, {"X-A": "x" * 4097}, {"X-A": 1}, {"X-A": None},
    {"": "b"}, {"X A": "b"}, {"X-A:": "b"}, {"X-Ä": "b"},
    {"Content-Type": "text/plain"}, {"content-length": "0"}, {"Host": "x"}, {"User-Agent": "x"}, {"Connection": "close"},
    {"Transfer-Encoding": "chunked"}, {"Proxy-Authorization": "x"}, {"TE": "trailers"}, {"Upgrade": "x"}, {"Expect": "x"},
    {"webhook-id": "x"}, {"Webhook-Signature": "x"}, {"svix-id": "x"},
    {"X-A": "1", "x-a": "2"}, {f"X-{i}": "1" for i in range(101)}, [], None,
])
def test_refuses_wrong_headers(api, app, endpoint, headers):
    answer = api.expect(422, "PUT", path(app, endpoint, "/headers"), json={"headers": headers})
    assert answer["detail"][0]["loc"] == ["body", "headers"]
    assert headers_of(api, app, endpoint) == {"headers": {}, "sensitive": []}


def test_longest_header_value(api, app, endpoint):
    api.expect(204, "PUT", path(app, endpoint, "/headers"), json={"headers": {"X-A": "x" * 4096}})
    assert headers_of(api, app, endpoint)["headers"] == {"X-A": "x" * 4096}


def test_patches_cannot_add_up_to_too_many_headers(api, app, endpoint):
    where = path(app, endpoint, "/headers")
    api.expect(204, "PUT", where, json={"headers": {f"X-{i}": "1" for i in range(100)}})
    api.expect(422, "PATCH", where, json={"headers": {"X-More": "1"}})
    api.expect(204, "PATCH", where, json={"headers": {"X-More": "1", "X-0": None}})
    assert len(headers_of(api, app, endpoint)["headers"]) == 100


def test_simultaneous_patches_of_headers_all_count(server, api, app, endpoint):
    done, _ = together(server, app, 8, lambda client, i: client.patch(path(app, endpoint, "/headers"), {"headers": {f"X-{i}": "1"}}))
    assert done == [204] * 8
    assert sorted(headers_of(api, app, endpoint)["headers"]) == [f"X-{i}" for i in range(8)]
