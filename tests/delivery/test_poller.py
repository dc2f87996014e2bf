"""Pollers: endpoints whose messages are fetched, without missing one and without getting one twice."""
import threading

import psycopg
import pytest
from client import unique
from psycopg import conninfo
from wait import SLOWNESS, wait_for

ZERO = "0" * 48


def new_poller(api, app, **fields):
    return api.expect(201, "POST", f"/app/{app['id']}/endpoint", json={"type": "poller", **fields})


def url(app, poller, consumer=None):
    return f"/app/{app['id']}/poller/{poller['id']}" + (f"/consumer/{consumer}" if consumer else "")


def poll_now(api, app, poller, consumer=None, **params):
    return api.expect(200, "GET", url(app, poller, consumer), params=params)


def poll(*arguments, **params):
    """When no transaction runs any more that is older than what was sent: before, it need not be shown yet."""
    with poll.server.database.database() as database:
        now = database.execute("SELECT pg_current_xact_id()::text::numeric").fetchone()[0]
        wait_for(lambda: database.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::numeric > %s", [now]).fetchone()[0],
                 10, "older transactions have ended")
    return poll_now(*arguments, **params)


@pytest.fixture(autouse=True)
def _settled(server):
    poll.server = server


def ids(page):
    return [message["id"] for message in page["data"]]


@pytest.fixture
def poller(api, app):
    return new_poller(api, app)


def test_it_is_an_endpoint_without_a_url(api, app):
    poller = new_poller(api, app, uid=unique("sink"), description="an inbox")
    assert poller["type"] == "poller" and not poller["url"].startswith("http")
    path = f"/app/{app['id']}/endpoint/{poller['uid']}"
    assert api.expect(200, "GET", path) == poller
    assert api.pages(f"/app/{app['id']}/endpoint") == [poller]
    hook = api.expect(200, "PATCH", path, json={"url": "http://127.0.0.1:9/"})
    assert "type" not in hook
    api.expect(404, "GET", url(app, poller))
    assert api.expect(200, "PATCH", path, json={"type": "poller"})["type"] == "poller"
    for body, field in [({"type": "poller", "url": "https://example.com/"}, "url"), ({"type": "mail"}, "type"), ({}, "url"),
                        ({"type": "webhook"}, "url"), ({"url": "poller:"}, "url")]:
        answer = api.expect(422, "POST", f"/app/{app['id']}/endpoint", json=body)
        assert [fault["loc"][-1] for fault in answer["detail"]] == [field], body


def test_messages_come_as_they_were_sent_page_by_page(api, app, poller):
    empty = poll(api, app, poller)
    assert empty["data"] == [] and empty["done"]
    sent = [api.send(app, payload={"n": n}, channels=["c"], tags=["t"], eventId=f"e{n}") for n in range(5)]
    first = poll(api, app, poller, limit=3)
    assert first["data"] == sent[:3] and not first["done"]
    second = poll(api, app, poller, limit=3, iterator=first["iterator"])
    assert second["data"] == sent[3:] and second["done"]
    third = poll(api, app, poller, iterator=second["iterator"])
    assert (third["data"], third["done"]) == ([], True)
    more = api.send(app)
    assert ids(poll(api, app, poller, iterator=third["iterator"])) == [more["id"]]
    assert ids(poll(api, app, poller, iterator=empty["iterator"])) == [m["id"] for m in sent] + [more["id"]]
    assert ids(poll(api, app, poller)) == [m["id"] for m in sent] + [more["id"]]


def test_it_has_what_its_filters_take(api, app, receiver):
    api.new_event_type("poller.wanted")
    api.new_endpoint(app, receiver.url())
    poller = new_poller(api, app, eventTypes=["poller.wanted"], channels=["blue"])
    api.send(app, event_type="poller.wanted")
    api.send(app, channels=["blue"])
    wanted = api.send(app, event_type="poller.wanted", channels=["blue"])
    assert ids(poll(api, app, poller)) == [wanted["id"]]
    receiver.wait(3)


def test_a_request_may_choose_further(api, app, poller):
    one = api.send(app, event_type="a.b", channels=["x"])
    two = api.send(app, event_type="c.d", channels=["y"])
    assert ids(poll(api, app, poller, event_type="a.b")) == [one["id"]]
    page = poll(api, app, poller, channel="y")
    assert ids(page) == [two["id"]] and page["done"]
    assert ids(poll(api, app, poller, channel="z", iterator=ZERO)) == []
    assert ids(poll(api, app, poller, after=two["timestamp"])) == [two["id"]]
    assert ids(poll(api, app, poller, after="2999-01-01T00:00:00Z")) == []


def test_a_consumer_gets_again_what_it_has_not_acknowledged(api, app, poller):
    sent = [api.send(app)["id"] for _ in range(3)]
    first = poll(api, app, poller, "worker", limit=2)
    assert ids(first) == sent[:2] == ids(poll(api, app, poller, "worker", limit=2))
    assert ids(poll(api, app, poller, "worker", limit=2, iterator=first["iterator"])) == sent[2:]
    assert ids(poll(api, app, poller, "worker")) == sent[2:], "where it stands is kept"
    assert ids(poll(api, app, poller, "another")) == sent


def test_a_consumer_is_put_back_and_forward(api, app, poller):
    sent = [api.send(app) for _ in range(3)]
    end = poll(api, app, poller, "w")
    poll(api, app, poller, "w", iterator=end["iterator"])
    path = url(app, poller, "w") + "/seek"
    place = api.expect(200, "POST", path, json={"after": sent[0]["timestamp"]})
    assert ids(poll(api, app, poller, "w")) == [m["id"] for m in sent]
    assert ids(poll(api, app, poller, iterator=place["iterator"])) == [m["id"] for m in sent]
    api.expect(200, "POST", path, json={"after": "2999-01-01T00:00:00Z"})
    assert ids(poll(api, app, poller, "w")) == []
    late = api.send(app)
    assert ids(poll(api, app, poller, "w")) == [late["id"]]
    assert [f["loc"] for f in api.expect(422, "POST", path, json={})["detail"]] == [["body", "after"]]


def test_it_has_no_room_for_ever_more_consumers(api, app, poller):
    begin = poll(api, app, poller)["iterator"]
    for n in range(100):
        poll(api, app, poller, f"c{n}", iterator=begin)
    api.expect(409, "GET", url(app, poller, "one-too-many"), params={"iterator": begin})
    api.expect(409, "POST", url(app, poller, "one-too-many") + "/seek", json={"after": "2026-01-01T00:00:00Z"})
    poll(api, app, poller, "c0", iterator=begin)


@pytest.mark.parametrize("iterator", ["x", ZERO + "0", "-" + ZERO, ZERO[:-1] + "g", "msg_0000000000000000000000"])
def test_an_iterator_that_is_none_is_refused(api, app, poller, iterator):
    answer = api.expect(422, "GET", url(app, poller), params={"iterator": iterator})
    assert [fault["loc"] for fault in answer["detail"]] == [["query", "iterator"]]


def test_only_its_own_tenant_reaches_it(api, other, app, poller, receiver):
    hook = api.new_endpoint(app, receiver.url())
    api.send(app)
    for path in (url(app, poller), url(app, poller, "w")):
        assert other.get(path).status_code == 404
        assert api.get(path.replace(poller["id"], hook["id"])).status_code == 404
        assert api.get(path.replace(app["id"], api.new_app()["id"])).status_code == 404
    assert other.post(url(app, poller, "w") + "/seek", json={"after": "2026-01-01T00:00:00Z"}).status_code == 404


def test_nothing_is_sent_to_it(api, app, poller):
    message = api.send(app)
    path = f"/app/{app['id']}/endpoint/{poller['id']}"
    api.expect(409, "POST", f"/app/{app['id']}/msg/{message['id']}/endpoint/{poller['id']}/resend")
    api.expect(409, "POST", f"{path}/recover", json={"since": "2026-01-01T00:00:00Z"})
    assert api.pages(f"/app/{app['id']}/attempt/endpoint/{poller['id']}") == []


def test_a_disabled_one_gets_nothing(api, app, poller):
    api.expect(200, "PATCH", f"/app/{app['id']}/endpoint/{poller['id']}", json={"disabled": True})
    api.send(app)
    assert ids(poll(api, app, poller)) == []


def test_repeated_and_planned_messages_come_once(server, api, app, poller):
    body = {"eventType": "x", "payload": {}}
    first, again = (api.post(f"/app/{app['id']}/msg", json=body, headers={"Idempotency-Key": app["id"]}).json() for _ in range(2))
    assert first == again
    planned = api.send(app, deliverInSeconds=3600)
    assert ids(poll(api, app, poller)) == [first["id"]]
    with server.database.database() as database:
        database.execute("UPDATE unmatched_messages SET due_at = now() WHERE wire_id('msg_', message_id) = %s", [planned["id"]])
        database.execute("SELECT announce('unmatched:0')")
    wait_for(lambda: len(ids(poll(api, app, poller))) == 2, 10, "its time has come")
    assert ids(poll(api, app, poller)) == [first["id"], planned["id"]]


def test_what_is_committed_late_is_not_missed(server, api, app, poller):
    """A transaction that stores a message holds back those that come after it until it ends: nobody reads past it."""
    with server.database.database() as slow:
        early = api.send(app)["id"]
        assert ids(poll(api, app, poller)) == [early]
        with slow.transaction():
            slow.execute("INSERT INTO messages (application_id, id, tenant_id, event_type, payload)"
                         " SELECT application_id, uuid_now(), tenant_id, 'x', '{}' FROM poller_messages"
                         " WHERE wire_id('msg_', message_id) = %s", [early])
            late = slow.execute("INSERT INTO poller_messages (endpoint_id, message_id, tenant_id, application_id)"
                                " SELECT p.endpoint_id, m.id, m.tenant_id, m.application_id FROM messages m, poller_messages p"
                                " WHERE wire_id('msg_', p.message_id) = %s AND m.application_id = p.application_id AND m.id <> p.message_id"
                                " RETURNING wire_id('msg_', message_id)", [early]).fetchone()[0]
            overtaking = api.send(app)["id"]
            page = poll_now(api, app, poller)
            assert ids(page) == [early]
    assert ids(poll(api, app, poller, iterator=page["iterator"])) == [late, overtaking]


def test_readers_beside_many_writers_get_each_message_once_and_all(server, api, app):
    """Through the interface, and from SQL with transactions that stay open for a while."""
    poller = new_poller(api, app)
    role = unique("writer").replace("-", "_")
    with psycopg.connect(server.database.database_url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN")
    server.database.command_line("sql-user", "create", "--tenant", server.tenant_id, "--role", role)
    sent, lock, count = set(), threading.Lock(), 200 // SLOWNESS

    def by_interface():
        with server.api() as client:
            for _ in range(count):
                with_key = {"headers": {"Idempotency-Key": unique("key")}}
                one = client.post(f"/app/{app['id']}/msg", json={"eventType": "x", "payload": {}}, **with_key).json()["id"]
                with lock:
                    sent.add(one)

    def by_sql():
        with psycopg.connect(conninfo.make_conninfo(server.database.database_url, user=role)) as connection:
            for _ in range(count // 10):
                rows = connection.execute("SELECT posthorn.send(%s, 'x', '{}') FROM generate_series(1, 10)", [app["id"]]).fetchall()
                connection.execute("SELECT pg_sleep(0.01)")
                connection.commit()
                with lock:
                    sent.update(row[0] for row in rows)

    threads = [threading.Thread(target=work) for work in (by_interface, by_interface, by_sql, by_sql)]
    for thread in threads:
        thread.start()
    got, iterator = [], None

    def read():
        nonlocal iterator
        page = poll_now(api, app, poller, limit=17, **({"iterator": iterator} if iterator else {}))
        iterator = page["iterator"]
        got.extend(ids(page))
        return not any(thread.is_alive() for thread in threads) and page["done"] and len(got) >= len(sent)
    wait_for(read, 60, "everything has been read")
    for thread in threads:
        thread.join()
    assert len(sent) == 4 * count
    assert len(got) == len(set(got)) and set(got) == sent
    assert got == ids_of_all(api, app, poller), "and in the same order when it is read again"


def ids_of_all(api, app, poller):
    got, page = [], poll(api, app, poller, limit=250)
    while page["data"]:
        got += ids(page)
        page = poll(api, app, poller, limit=250, iterator=page["iterator"])
    return got


def rotate(api, app, poller, **body):
    return api.expect(201, "POST", f"/auth/app/{app['id']}/poller/{poller['id']}/token/rotate", json=body)


def test_a_token_of_a_poller_reaches_it_and_nothing_else(server, api, app, receiver):
    poller, another = new_poller(api, app, uid=unique("sink")), new_poller(api, app)
    hook = api.new_endpoint(app, receiver.url())
    message = api.send(app)
    made = rotate(api, app, poller)
    with server.api(made["token"]) as reader:
        assert ids(poll(reader, app, poller)) == [message["id"]]
        assert ids(reader.expect(200, "GET", f"/app/{app['id']}/poller/{poller['uid']}/consumer/w")) == [message["id"]]
        reader.expect(200, "POST", url(app, poller, "w") + "/seek", json={"after": "2026-01-01T00:00:00Z"})
        for path in (url(app, another), url(api.new_app(), poller), f"/app/{app['id']}", f"/app/{app['id']}/msg", "/app", "/auth/whoami",
                     f"/app/{app['id']}/endpoint/{poller['id']}", f"/app/{app['id']}/endpoint/{hook['id']}/secret",
                     f"/auth/app/{app['id']}/poller/{poller['id']}/token", f"/app/{app['id']}/tail"):
            response = reader.get(path, params=None)
            assert response.status_code == 403, (path, response.status_code)
        reader.expect(403, "POST", f"/app/{app['id']}/msg", json={"eventType": "x", "payload": {}})


def test_a_token_is_shown_once_and_replaced(server, api, app, poller):
    path = f"/auth/app/{app['id']}/poller/{poller['id']}/token"
    api.expect(404, "GET", path)
    first = rotate(api, app, poller, expiry=3600)
    shown = api.expect(200, "GET", path)
    assert first["token"].startswith("phl_") and shown["token"] != first["token"] and shown["token"][-4:] == first["token"][-4:]
    assert shown == {**first, "token": shown["token"]} and first["expiresAt"] > first["createdAt"]
    second = rotate(api, app, poller, oldTokenExpiry=3600)
    with server.api(first["token"]) as old, server.api(second["token"]) as new:
        poll(old, app, poller)
        poll(new, app, poller)
        third = rotate(api, app, poller)
        for client in (old, new):
            wait_for(lambda client=client: client.get(url(app, poller)).status_code == 401, 10, "it has ended")
        assert api.expect(200, "GET", path)["id"] == third["id"]


def test_tokens_are_for_pollers_of_the_own_tenant(api, other, app, poller, receiver):
    hook = api.new_endpoint(app, receiver.url())
    for client, endpoint in ((api, hook), (other, poller)):
        path = f"/auth/app/{app['id']}/poller/{endpoint['id']}/token"
        client.expect(404, "POST", path + "/rotate", json={})
        client.expect(404, "GET", path)
    answer = api.expect(422, "POST", f"/auth/app/{app['id']}/poller/{poller['id']}/token/rotate", json={"expiry": 0, "oldTokenExpiry": 86401})
    assert sorted(fault["loc"][-1] for fault in answer["detail"]) == ["expiry", "oldTokenExpiry"]
