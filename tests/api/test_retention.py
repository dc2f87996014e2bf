"""How long payloads are kept: as long as their message, or for less when the message says so."""
import pytest
from client import Api
from history import History, to_uuid
from wait import wait_for

DAY = 24 * 60 * 60


@pytest.fixture
def history(server, app):
    with History(server, app) as one:
        yield one


def kept_seconds(history, message):
    """For how long from now on; None: as long as the message."""
    (seconds,), = history.db.execute("SELECT extract(epoch FROM expires_at - now())::int FROM messages WHERE id = %s",
                                     (to_uuid(message["id"]),))
    return seconds


@pytest.mark.parametrize("fields, seconds", [
    ({}, None), ({"payloadRetentionPeriod": 5}, 5 * DAY), ({"payloadRetentionPeriod": 89}, 89 * DAY),
    ({"payloadRetentionHours": 1}, 3600), ({"payloadRetentionHours": 2159}, 2159 * 3600),
    ({"payloadRetentionPeriod": 90}, None), ({"payloadRetentionHours": 2160}, None),
    ({"payloadRetentionPeriod": 5, "payloadRetentionHours": 2}, 7200),
    ({"payloadRetentionPeriod": 5, "payloadRetentionHours": None}, 5 * DAY), ({"payloadRetentionPeriod": None}, None),
])
def test_days_and_hours(api, app, history, fields, seconds):
    kept = kept_seconds(history, api.send(app, **fields))
    assert kept is None if seconds is None else seconds - 100 < kept <= seconds


@pytest.mark.parametrize("fields", [
    {"payloadRetentionPeriod": 4}, {"payloadRetentionPeriod": 91}, {"payloadRetentionPeriod": "9"}, {"payloadRetentionPeriod": 5.5},
    {"payloadRetentionHours": 0}, {"payloadRetentionHours": 2161}, {"payloadRetentionHours": True},
    {"payloadRetentionHours": 10**30},
])
def test_refuses_other_times(api, app, fields):
    answer = api.expect(422, "POST", f"/app/{app['id']}/msg", json={"eventType": "a.b", "payload": {}, **fields})
    assert [fault["loc"] for fault in answer["detail"]] == [["body", *fields]]


def test_what_is_owed_is_sent_although_nobody_may_read_it_any_more(api, app, history, receiver):
    endpoint = api.new_endpoint(app, receiver.url("/hook"))
    message = history.message(minutes=60, payload=b'{"a":1}', expires_in=-30)
    history.delivery(message, endpoint, attempts=1, due_in=0)
    history.schedule(endpoint)
    assert receiver.wait(1)[0].body == b'{"a":1}'
    api.wait_attempts(app, message, 1)
    assert api.expect(200, "GET", f"/app/{app['id']}/msg/{message}")["payload"] == {"expired": True}


def test_expired_payloads_are_removed_from_the_database(start_node):
    node = start_node()
    with Api(node.url, node.api_key) as api:
        app = api.new_app()
        endpoint = api.new_endpoint(app, "http://127.0.0.1:9/")
    with History(node.database, app) as history:
        expired = history.message(minutes=60, payload=b'{"secret":1}', expires_in=-2)
        kept = history.message(minutes=60, payload=b'{"a":1}', expires_in=60)
        node.stop()
        node.start()
        wait_for(lambda: history.payload(expired) is None, 20, "the payload is removed")
        assert history.payload(kept) == b'{"a":1}'
    with Api(node.url, node.api_key) as api:
        assert api.expect(200, "GET", f"/app/{app['id']}/msg/{expired}")["payload"] == {"expired": True}
        api.expect(422, "POST", f"/app/{app['id']}/msg/{expired}/endpoint/{endpoint['id']}/resend")
