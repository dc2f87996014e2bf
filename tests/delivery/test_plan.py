"""deliverAt: messages that are stored now and delivered later, to the endpoints that there are then."""
import datetime

import psycopg
import pytest
from client import unique
from wait import wait_for


def in_seconds(seconds):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).isoformat()


def plan(api, app, **fields):
    """A message for in an hour; with make_due it is due at once."""
    return api.send(app, deliverAt=in_seconds(3600), **fields)


def make_due(server, message):
    with server.database.database() as database:
        database.execute("UPDATE unmatched_messages SET due_at = now() WHERE wire_id('msg_', message_id) = %s", [message["id"]])
        database.execute("SELECT announce('unmatched:0')")


def test_it_waits_for_its_time_and_arrives_then(api, app, receiver):
    api.new_endpoint(app, receiver.url())
    wait_s = 2
    at = in_seconds(wait_s)
    later = api.send(app, deliverAt=at)
    assert datetime.datetime.fromisoformat(later["deliverAt"]) - datetime.datetime.fromisoformat(at) < datetime.timedelta(seconds=1)
    also = api.send(app, deliverInSeconds=wait_s)
    at_once = [api.send(app), api.send(app, deliverAt="2001-01-01T00:00:00Z"), api.send(app, deliverInSeconds=0)]
    assert not any("deliverAt" in message for message in at_once)
    early = [r.header("webhook-id") for r in receiver.wait(3)]
    assert sorted(early[:3]) == sorted(message["id"] for message in at_once)
    came = [r.header("webhook-id") for r in receiver.wait(5)]
    assert sorted(came[3:]) == sorted([later["id"], also["id"]])
    assert datetime.datetime.now(datetime.timezone.utc) >= datetime.datetime.fromisoformat(at)
    api.wait_attempts(app, later, 1)


def test_it_is_for_the_endpoints_of_its_time(server, api, app, new_receiver):
    before, after = new_receiver(), new_receiver()
    old = api.new_endpoint(app, before.url())
    message = plan(api, app)
    api.expect(204, "DELETE", f"/app/{app['id']}/endpoint/{old['id']}")
    api.new_endpoint(app, after.url())
    make_due(server, message)
    assert after.wait(1)[0].header("webhook-id") == message["id"]
    assert before.got() == []


def test_what_replaces_the_payload_is_planned_too(server, api, app, receiver):
    api.new_endpoint(app, receiver.url())
    message = plan(api, app, channels=["a"], transformationsParams={"rawPayload": "<x/>", "headers": {"content-type": "text/xml"}})
    make_due(server, message)
    request = receiver.wait(1)[0]
    assert (request.body, request.header("content-type")) == (b"<x/>", "text/xml")


def test_lists_and_the_message_itself_show_the_time(api, app):
    message = plan(api, app, eventId="later")
    assert api.expect(200, "GET", f"/app/{app['id']}/msg/later") == message
    assert api.pages(f"/app/{app['id']}/msg") == [message]
    assert api.pages(f"/app/{app['id']}/msg/{message['id']}/endpoint") == []


def test_a_cancelled_one_never_arrives(server, api, app, receiver):
    api.new_endpoint(app, receiver.url())
    message, other = plan(api, app, eventId="one"), plan(api, app)
    api.expect(204, "DELETE", f"/app/{app['id']}/msg/one/schedule")
    assert "deliverAt" not in api.expect(200, "GET", f"/app/{app['id']}/msg/{message['id']}")
    api.expect(409, "DELETE", f"/app/{app['id']}/msg/{message['id']}/schedule")
    make_due(server, message)
    make_due(server, other)
    assert [r.header("webhook-id") for r in receiver.wait(1)] == [other["id"]]
    api.expect(409, "DELETE", f"/app/{app['id']}/msg/{other['id']}/schedule")
    api.expect(404, "DELETE", f"/app/{app['id']}/msg/msg_nothing/schedule")
    api.expect(404, "DELETE", f"/app/nowhere/msg/{message['id']}/schedule")


def test_another_tenant_cannot_cancel_it(server, api, other, app):
    message = plan(api, app)
    other.expect(404, "DELETE", f"/app/{app['id']}/msg/{message['id']}/schedule")
    api.expect(204, "DELETE", f"/app/{app['id']}/msg/{message['id']}/schedule")


def test_nothing_by_hand_goes_before_its_time(server, api, app, receiver):
    endpoint = api.new_endpoint(app, receiver.url())
    message = plan(api, app)
    path = f"/app/{app['id']}/endpoint/{endpoint['id']}"
    api.expect(409, "POST", f"/app/{app['id']}/msg/{message['id']}/endpoint/{endpoint['id']}/resend")
    task = api.expect(202, "POST", f"{path}/replay-missing", json={"since": in_seconds(-3600)})
    wait_for(lambda: api.expect(200, "GET", f"/background-task/{task['id']}")["status"] == "finished", 10, "the task has ended")
    api.send(app)
    receiver.wait(1)
    assert message["id"] not in {r.header("webhook-id") for r in receiver.got()}


def test_what_an_application_planned_goes_with_it(server, api, receiver):
    app = api.new_app()
    message = plan(api, app)
    api.expect(204, "DELETE", f"/app/{app['id']}")
    make_due(server, message)
    with server.database.database() as database:
        wait_for(lambda: database.execute("SELECT count(*) FROM unmatched_messages WHERE wire_id('msg_', message_id) = %s",
                                          [message["id"]]).fetchone()[0] == 0, 10, "nothing is planned any more")


def test_one_that_is_expunged_is_not_sent(server, api, app, receiver):
    api.new_endpoint(app, receiver.url())
    message = plan(api, app)
    api.expect(204, "DELETE", f"/app/{app['id']}/msg/{message['id']}/content")
    make_due(server, message)
    sent = api.send(app)
    assert [r.header("webhook-id") for r in receiver.wait(1)] == [sent["id"]]


def test_a_plan_is_made_from_sql_too(server, api, app, receiver):
    api.new_endpoint(app, receiver.url())
    role = unique("planner").replace("-", "_")
    with psycopg.connect(server.database.database_url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN")
        server.database.command_line("sql-user", "create", "--tenant", server.tenant_id, "--role", role)
        with psycopg.connect(psycopg.conninfo.make_conninfo(server.database.database_url, user=role), autocommit=True) as planner:
            statement = "SELECT posthorn.send(%s, 'x', '{}', deliver_at => now() + %s::interval)"
            later = planner.execute(statement, [app["id"], "1 hour"]).fetchone()[0]
            now = planner.execute(statement, [app["id"], "-1 hour"]).fetchone()[0]
    assert [r.header("webhook-id") for r in receiver.wait(1)] == [now]
    assert "deliverAt" in api.expect(200, "GET", f"/app/{app['id']}/msg/{later}")
    api.expect(204, "DELETE", f"/app/{app['id']}/msg/{later}/schedule")


def test_some_of_a_batch_are_planned(api, app, receiver):
    api.new_endpoint(app, receiver.url())
    bodies = [{"eventType": "x", "payload": {}, "deliverAt": in_seconds(3600)}, {"eventType": "x", "payload": {}}]
    first, again = (api.expect(202, "POST", f"/app/{app['id']}/msg/batch", json={"messages": bodies},
                               headers={"Idempotency-Key": app["id"]}) for _ in range(2))
    assert ["deliverAt" in entry["message"] for entry in first["data"]] == [True, False]
    assert again == first
    assert [r.header("webhook-id") for r in receiver.wait(1)] == [first["data"][1]["message"]["id"]]


def test_a_repeated_request_plans_once(server, api, app, receiver):
    api.new_endpoint(app, receiver.url())
    body = {"eventType": "x", "payload": {}, "deliverAt": in_seconds(3600)}
    first, second = (api.post(f"/app/{app['id']}/msg", json=body, headers={"Idempotency-Key": app["id"]}) for _ in range(2))
    assert first.status_code == second.status_code == 202
    assert first.json() == second.json()
    with server.database.database() as database:
        assert database.execute("SELECT count(*) FROM unmatched_messages u JOIN messages m ON m.id = u.message_id"
                                " WHERE wire_id('app_', m.application_id) = %s", [app["id"]]).fetchone()[0] == 1


@pytest.mark.parametrize("fields, field", [
    ({"deliverAt": "tomorrow"}, "deliverAt"),
    ({"deliverAt": 17}, "deliverAt"),
    ({"deliverAt": in_seconds(31 * 86400)}, "deliverAt"),
    ({"deliverAt": in_seconds(7200), "payloadRetentionHours": 1}, "deliverAt"),
    ({"deliverInSeconds": -1}, "deliverInSeconds"),
    ({"deliverInSeconds": 1.5}, "deliverInSeconds"),
    ({"deliverInSeconds": 31 * 86400}, "deliverInSeconds"),
    ({"deliverAt": in_seconds(10), "deliverInSeconds": 10}, "deliverInSeconds"),
])
def test_a_plan_that_is_none_is_refused(api, app, fields, field):
    answer = api.expect(422, "POST", f"/app/{app['id']}/msg", json={"eventType": "x", "payload": {}, **fields})
    assert [fault["loc"] for fault in answer["detail"]] == [["body", field]]
