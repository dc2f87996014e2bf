"""API keys over their life, and what is answered while the database is away."""
import base64
import hashlib
import secrets
import time
import uuid

import psycopg
from client import Api, unique
from wait import wait_for


def add_key(database, tenant_id, lifetime):
    """A key of the tenant that expires after `lifetime` seconds; (id, key)."""
    key = "phk_" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    key_id = uuid.uuid4()
    database.execute(
        "INSERT INTO api_keys (id, tenant_id, name, key_hash, expires_at)"
        " VALUES (%s, %s, 'of a test', %s, now() + make_interval(secs => %s))",
        (key_id, tenant_id, hashlib.sha256(key.encode()).digest(), lifetime))
    return key_id, key


def tenant_of(database, key):
    return database.execute("SELECT tenant_id FROM api_keys WHERE key_hash = %s",
                            (hashlib.sha256(key.encode()).digest(),)).fetchone()[0]


def test_a_key_ends_at_its_time_although_it_is_remembered(server):
    with server.database() as database:
        tenant = tenant_of(database, server.api_key)
        _, expired = add_key(database, tenant, -1)
        _, short = add_key(database, tenant, 2)
        begin = time.monotonic()
    with Api(server.url, expired) as api:
        api.expect(401, "GET", "/app")
    with Api(server.url, short) as api:
        for _ in range(5):  # on every thread
            api.expect(200, "GET", "/app", headers={"Connection": "close"})
        wait_for(lambda: api.get("/app").status_code == 401, 10, "the key has ended")
        assert time.monotonic() - begin > 1.5
        api.expect(401, "GET", "/app")


def test_a_key_of_nobody_stays_refused(server):
    with Api(server.url, "phk_" + "x" * 43) as api:
        for _ in range(3):
            api.expect(401, "GET", "/app")
            api.expect(401, "POST", "/app", json={"name": "x"})


def test_only_the_hash_of_a_key_is_stored(server):
    with server.database() as database:
        row = database.execute("SELECT to_jsonb(k)::text FROM api_keys k WHERE key_hash = %s",
                               (hashlib.sha256(server.api_key.encode()).digest(),)).fetchone()
    assert row and server.api_key not in row[0] and server.api_key[4:] not in row[0]


def test_nobody_is_called_unauthorised_while_the_database_is_away(start_node, database, postgres):
    node = start_node(POSTHORN_HTTP_THREADS="1")
    fresh = database.new_tenant("fresh")[1]
    with node.api() as known, node.api(fresh) as unknown:
        known.expect(200, "GET", "/app")
        postgres.stop()
        try:
            def refused(client):
                response = client.get("/app")
                assert response.status_code == 503, response.text
                assert response.json()["code"] == "unavailable" and int(response.headers["retry-after"]) >= 1
                return True
            assert refused(unknown)
            assert refused(known)
            with Api(node.url, "nonsense") as nobody:
                nobody.expect(401, "GET", "/app")
                nobody.expect(204, "GET", "/health")
        finally:
            postgres.start()
        wait_for(lambda: unknown.get("/app").status_code == 200, 20, "the key is known again")
        assert known.get("/app").status_code == 200


def test_nodes_hear_of_a_changed_uid_and_of_a_deleted_application(server, api):
    one = api.new_app(uid=unique("uid"))
    with psycopg.connect(server.database_url, autocommit=True) as listener:
        listener.execute("SELECT hear_news()")

        def heard():
            return [n.payload for n in listener.notifies(timeout=0.5, stop_after=1)]

        with server.database() as database:
            key = database.execute("SELECT id FROM applications WHERE uid = %s", (one["uid"],)).fetchone()[0]
        api.expect(200, "PATCH", f"/app/{one['id']}", json={"name": "only the name"})
        assert heard() == []
        api.expect(200, "PATCH", f"/app/{one['id']}", json={"uid": unique("uid")})
        assert heard() == [f"app:{key}"]
        api.expect(200, "PUT", f"/app/{one['id']}", json={"name": "x", "throttleRate": 3})
        assert heard() == [f"app:{key}"]
        api.expect(204, "DELETE", f"/app/{one['id']}")
        assert heard()[0] == f"app:{key}"
