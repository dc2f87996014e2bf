"""Filters that find little: a page looks at so many rows only, and the next one goes on where it ended."""
import time

import pytest
from history import History, to_uuid

URL = "http://127.0.0.1:9/"
# of the server: rows of a list, and of the list of an endpoint's messages
WALKED, WALKED_FEW = 10000, 2000


@pytest.fixture
def history(server, app):
    with History(server, app) as one:
        yield one


def fill(history, count, endpoint=None, owed=False):
    """Messages of the type common, one a second, and their attempts or deliveries; two of them are rare."""
    key = (f"(left(uuid_floor(to_timestamp({time.time()}) - n * interval '1 second')::text, 24) || "
           f"substr(md5('{history.app}' || n), 1, 12))::uuid")
    history.db.execute(
        "INSERT INTO messages (application_id, id, tenant_id, event_type, payload) "
        f"SELECT %s, {key}, %s, CASE WHEN n IN (3, %s) THEN 'rare' ELSE 'common' END, '{{}}' FROM generate_series(1, %s) n",
        (history.app, history.tenant, count, count))
    if endpoint:
        history.db.execute(
            "INSERT INTO attempts (message_id, id, endpoint_id, tenant_id, number, status, trigger_type, status_code, duration_ms, "
            f"url, response) SELECT {key}, {key}, %s, %s, 1, CASE WHEN n IN (3, %s) THEN 2 ELSE 0 END, 0, 200, 1, 'x', '' "
            "FROM generate_series(1, %s) n", (to_uuid(endpoint["id"]), history.tenant, count, count))
        if owed:
            history.db.execute(
                "INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, next_at, attempts) "
                f"SELECT %s, {key}, %s, %s, now() + interval '1 hour', CASE WHEN n IN (3, %s) THEN 0 ELSE 1 END "
                "FROM generate_series(1, %s) n", (to_uuid(endpoint["id"]), history.tenant, history.app, count, count))


def walk(api, path, **params):
    """(the ids of all pages, the number of items of each page) on the way forth, and the ids on the way back."""
    found, sizes, iterator, last = [], [], None, None
    while True:
        page = api.expect(200, "GET", path, params={**params, **({"iterator": iterator} if iterator else {})})
        found += [one["id"] for one in page["data"]]
        sizes.append(len(page["data"]))
        if page["done"]:
            break
        assert page["iterator"] and page["iterator"] != iterator
        last = iterator = page["iterator"]
    back, iterator = [], f"-{last}"
    while True:
        page = api.expect(200, "GET", path, params={**params, "iterator": iterator})
        back = [one["id"] for one in page["data"]] + back
        if page["done"]:
            return found, sizes, back
        assert page["prevIterator"] and page["prevIterator"] != iterator
        iterator = page["prevIterator"]


def test_messages(api, app, history):
    fill(history, 2 * WALKED + 10)
    found, sizes, back = walk(api, f"/app/{app['id']}/msg", event_types="rare")
    assert len(found) == 2 and sizes == [1, 0, 1] and back == found[:1]
    assert [len(walk(api, f"/app/{app['id']}/msg", event_types="none")[0])] == [0]
    searched = api.expect(200, "POST", f"/app/{app['id']}/msg/search", json={"event_types": ["none"]})
    assert searched["data"] == [] and not searched["done"] and searched["iterator"]


def test_attempts_of_an_endpoint(api, app, history):
    endpoint = api.new_endpoint(app, URL)
    fill(history, 2 * WALKED + 10, endpoint)
    where = f"/app/{app['id']}/attempt/endpoint/{endpoint['id']}"
    for params in ({"status": 2}, {"event_types": "rare"}):
        found, sizes, back = walk(api, where, **params)
        assert len(found) == 2 and sizes == [1, 0, 1] and back == found[:1]
    assert walk(api, where, status_code_class=300)[1] == [0, 0, 0]


def test_messages_of_an_endpoint(api, app, history):
    endpoint = api.new_endpoint(app, URL)
    fill(history, 2 * WALKED_FEW + 10, endpoint)
    for params in ({"status": 2}, {"event_types": "rare"}):
        found, sizes, back = walk(api, f"/app/{app['id']}/endpoint/{endpoint['id']}/msg", **params)
        assert len(found) == 2 and sizes == [1, 0, 1] and back == found[:1]
    found, sizes, _ = walk(api, f"/app/{app['id']}/endpoint/{endpoint['id']}/msg", limit=250)
    assert len(found) == len(set(found)) == 2 * WALKED_FEW + 10 and set(sizes[:-1]) == {250}


def test_messages_owed_to_an_endpoint(api, app, history):
    endpoint = api.new_endpoint(app, URL, paused=True)
    fill(history, 2 * WALKED + 10, endpoint, owed=True)
    found, sizes, back = walk(api, f"/app/{app['id']}/endpoint/{endpoint['id']}/msg", status=1)
    assert len(found) == 2 and sizes == [1, 0, 1] and back == found[:1]
