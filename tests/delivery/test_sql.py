"""posthorn.send: messages that join the transaction of a service that shares the database."""
import datetime
import threading
import uuid

import psycopg
import pytest
from client import unique
from psycopg import conninfo, errors
from wait import SLOWNESS, wait_for


def new_role(database, tenant):
    """The URL with which a role logs in that may send for this tenant."""
    role = unique("customer").replace("-", "_")
    with psycopg.connect(database.database_url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN")
    database.command_line("sql-user", "create", "--tenant", tenant, "--role", role)
    return conninfo.make_conninfo(database.database_url, user=role)


@pytest.fixture(scope="module")
def customer_url(server):
    return new_role(server.database, server.tenant_id)


@pytest.fixture
def customer(customer_url):
    """A connection of the role of the first tenant."""
    with psycopg.connect(customer_url, autocommit=True) as connection:
        yield connection


def send(connection, app, payload='{"a":1}', event_type="test.happened", **more):
    names = "".join(f", {name} => %s" for name in more)
    row = connection.execute(f"SELECT posthorn.send(%s, %s, %s::text{names})", [app, event_type, payload, *more.values()])
    return row.fetchone()[0]


def test_a_committed_message_is_delivered_with_its_bytes(api, app, receiver, customer, signature):
    endpoint = api.new_endpoint(app, receiver.url())
    payload = '{"é" :  1.50,\n"b":"\\u00e9"}'
    message = send(customer, app["id"], payload, channels=["one"], tags=["t"], event_id="e-1")
    request = receiver.wait(1)[0]
    assert request.body == payload.encode()
    assert request.header("webhook-id") == message
    assert request.header("webhook-signature") == signature(api.secret(app, endpoint), request)
    stored = api.expect(200, "GET", f"/app/{app['id']}/msg/{message}")
    assert (stored["eventType"], stored["channels"], stored["tags"], stored["eventId"]) == \
        ("test.happened", ["one"], ["t"], "e-1")
    api.wait_attempts(app, message, 1)


def test_a_transaction_rolled_back_sends_nothing(api, app, receiver, customer):
    api.new_endpoint(app, receiver.url())
    with pytest.raises(ZeroDivisionError), customer.transaction():
        gone = send(customer, app["id"], event_id="once")
        raise ZeroDivisionError
    sent = send(customer, app["id"], event_id="once")
    assert [r.header("webhook-id") for r in receiver.wait(1)] == [sent]
    assert api.get(f"/app/{app['id']}/msg/{gone}").status_code == 404
    assert len(api.pages(f"/app/{app['id']}/msg")) == 1


def test_nothing_leaves_before_the_commit(api, app, receiver, customer):
    api.new_endpoint(app, receiver.url())
    with customer.transaction():
        early = send(customer, app["id"])
        late = api.send(app)["id"]
        assert receiver.wait(1)[0].header("webhook-id") == late
    assert {r.header("webhook-id") for r in receiver.wait(2)} == {early, late}


def test_only_endpoints_that_take_it_get_it(api, app, new_receiver, customer):
    all_of_them, by_type, by_channel, other = (new_receiver() for _ in range(4))
    api.new_endpoint(app, all_of_them.url())
    api.new_event_type("sql.wanted")
    api.new_endpoint(app, by_type.url(), eventTypes=["sql.wanted"])
    api.new_endpoint(app, by_channel.url(), channels=["blue"])
    api.new_endpoint(app, other.url(), channels=["red"])
    wanted = send(customer, app["id"], event_type="sql.wanted")
    blue = send(customer, app["id"], channels=["blue", "green"])
    assert {r.header("webhook-id") for r in all_of_them.wait(2)} == {wanted, blue}
    assert [r.header("webhook-id") for r in by_type.wait(1)] == [wanted]
    assert [r.header("webhook-id") for r in by_channel.wait(1)] == [blue]
    assert other.got() == []


def test_many_in_one_transaction_arrive_once_each_and_in_order(api, app, receiver, customer):
    api.new_endpoint(app, receiver.url(), ordering="fifo")
    count = 300 // SLOWNESS
    with customer.transaction():
        sent = [send(customer, app["id"]) for _ in range(count)]
    assert sent == sorted(sent)
    assert [r.header("webhook-id") for r in receiver.wait(count, timeout=30)] == sent


def test_an_event_id_is_used_once_by_whichever_door(api, app, customer):
    send(customer, app["id"], event_id="a")
    api.send(app, eventId="b")
    for used in ("a", "b"):
        with pytest.raises(errors.UniqueViolation, match=f'event_id "{used}" already'):
            send(customer, app["id"], event_id=used)
        response = api.post(f"/app/{app['id']}/msg", json={"eventType": "x", "payload": {}, "eventId": used})
        assert response.status_code == 409


def test_json_and_jsonb_are_taken_too(api, app, receiver, customer):
    api.new_endpoint(app, receiver.url())
    for kind in ("::json", "::jsonb", ""):
        customer.execute(f"SELECT posthorn.send(%s, 'x', '{{\"b\": 1,  \"a\": 2}}'{kind})", [app["id"]])
    assert sorted(r.body for r in receiver.wait(3)) == [b'{"a": 2, "b": 1}', b'{"b": 1,  "a": 2}', b'{"b": 1,  "a": 2}']


@pytest.mark.parametrize("fields, error, says", [
    ({"app": "app_nowhere"}, errors.NoDataFound, 'no application "app_nowhere"'),
    ({"app": None}, errors.NoDataFound, "no application"),
    ({"event_type": "no spaces"}, errors.InvalidParameterValue, "event_type"),
    ({"event_type": None}, errors.InvalidParameterValue, "event_type"),
    ({"event_id": ""}, errors.InvalidParameterValue, "event_id"),
    ({"channels": ["a", "b", "c", "d", "e", "f"]}, errors.InvalidParameterValue, "channels"),
    ({"channels": ["a", None]}, errors.InvalidParameterValue, "channels"),
    ({"tags": ["ü"]}, errors.InvalidParameterValue, "tags"),
    ({"payload": "[1]"}, errors.InvalidParameterValue, "payload has to be a JSON object"),
    ({"payload": "{"}, errors.InvalidTextRepresentation, "json"),
    ({"payload": None}, errors.NullValueNotAllowed, "payload"),
    ({"payload": '{"a":"%s"}' % ("x" * 2**20)}, errors.ProgramLimitExceeded, "1048576 bytes"),
    ({"deliver_at": "2999-01-01"}, errors.InvalidParameterValue, "deliver_at"),
])
def test_what_is_wrong_is_an_error_that_names_it(app, customer, fields, error, says):
    with pytest.raises(error, match=says):
        send(customer, **{"app": app["id"], **fields})


def test_a_role_sends_for_its_own_tenant_only(server, api, app, other, customer):
    theirs = other.new_app(uid=unique("uid"))
    tenant = str(uuid.UUID(int=sum(62**(21 - i) * "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".index(c)
                                   for i, c in enumerate(server.database.tenant_id[4:]))))
    for setting in ("", tenant):
        customer.execute("SELECT set_config('posthorn.tenant_id', %s, false)", [setting])
        for name in (theirs["id"], theirs["uid"]):
            with pytest.raises(errors.NoDataFound):
                send(customer, name)
    assert other.pages(f"/app/{theirs['id']}/msg") == []
    send(customer, app["id"])


def test_a_role_reaches_nothing_but_the_function(server, app, customer):
    tables = [row[0] for row in server.database.database().execute(
        "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = 'posthorn'::regnamespace"
        " AND c.relkind IN ('r', 'p', 'v', 'm', 'S')").fetchall()]
    assert "unmatched_messages" in tables and "sql_users" in tables
    for table in tables:
        for statement in ("SELECT * FROM posthorn.{}", "DELETE FROM posthorn.{}"):
            with pytest.raises((errors.InsufficientPrivilege, errors.WrongObjectType)):
                customer.execute(statement.format(table))
    for statement in ("SET ROLE posthorn_engine", "SET ROLE posthorn_api", "CREATE TABLE posthorn.mine ()",
                      "SET SESSION AUTHORIZATION posthorn", "SELECT posthorn.grant_sender('posthorn')",
                      "SELECT posthorn.announce('tenant:x')", "SELECT posthorn.hear_news()"):
        with pytest.raises(errors.InsufficientPrivilege):
            customer.execute(statement)
    definers = customer.execute(
        "SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = 'posthorn'::regnamespace AND p.prosecdef"
        " AND has_function_privilege(p.oid, 'EXECUTE')").fetchall()
    assert [name.partition("(")[0] for name, in definers] == ["posthorn.send"], "they work with the engine's rights"


def test_a_role_that_is_mapped_to_no_tenant_cannot_send(server, app):
    role = unique("stranger").replace("-", "_")
    with psycopg.connect(server.database.database_url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN")
        with psycopg.connect(conninfo.make_conninfo(server.database.database_url, user=role), autocommit=True) as stranger:
            with pytest.raises(errors.InsufficientPrivilege):
                send(stranger, app["id"])
            admin.execute(f"GRANT posthorn_sender TO {role}")
            with pytest.raises(errors.InsufficientPrivilege, match="sends for no tenant"):
                send(stranger, app["id"])
            # Whoever it acts as: what counts is who has logged in.
            admin.execute(f"GRANT {role} TO CURRENT_USER")
            admin.execute(f"SET ROLE {role}")
            with pytest.raises(errors.InsufficientPrivilege, match="sends for no tenant"):
                send(admin, app["id"])


@pytest.mark.parametrize("change, error, says", [
    ("suspended_at = now()", errors.InsufficientPrivilege, "suspended"),
    ("deleted_at = now()", errors.InsufficientPrivilege, "no tenant"),
    ("""quotas = '{"payloadBytes": 6}'""", errors.ProgramLimitExceeded, "more than 6 bytes"),
    ("""quotas = '{"messagesPerDay": 0}'""", errors.ConfigurationLimitExceeded, "of the day"),
    ("""quotas = '{"retentionDays": 1}'""", errors.InvalidParameterValue, "deliver_at"),
])
def test_what_holds_for_the_tenant_holds_here_too(server, change, error, says):
    tenant, key = server.database.new_tenant(unique("tenant"))
    later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=2)
    with server.api(key) as api, psycopg.connect(new_role(server.database, tenant), autocommit=True) as customer:
        app = api.new_app()
        send(customer, app["id"], deliver_at=later)
        with server.database.database() as database:
            database.execute(f"UPDATE tenants SET {change} WHERE wire_id('org_', id) = %s", [tenant])
        with pytest.raises(error, match=says):
            send(customer, app["id"], deliver_at=later)


def test_a_mapping_ends(server, app):
    url = new_role(server.database, server.tenant_id)
    role = conninfo.conninfo_to_dict(url)["user"]
    assert role in server.database.command_line("sql-user", "list")
    with psycopg.connect(url, autocommit=True) as connection:
        send(connection, app["id"])
        server.database.command_line("sql-user", "delete", "--role", role)
        with pytest.raises(errors.InsufficientPrivilege):
            send(connection, app["id"])


def test_each_message_is_matched_once_by_several_nodes(postgres, new_receiver, start_node, database):
    """Two nodes hear of every commit; senders on several connections."""
    first, _ = start_node(), start_node()
    receiver = new_receiver()
    count, senders = 400 // SLOWNESS, 4
    with first.api() as api:
        app = api.new_app()
        api.new_endpoint(app, receiver.url())
        url = new_role(database, database.tenant_id)
        sent = [[] for _ in range(senders)]

        def work(mine):
            with psycopg.connect(url, autocommit=True) as connection:
                for _ in range(count // senders):
                    mine.append(send(connection, app["id"]))

        threads = [threading.Thread(target=work, args=(mine,)) for mine in sent]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        everything = sorted(sum(sent, []))
        receiver.wait(len(everything), timeout=30)
        wait_for(lambda: database.database().execute("SELECT count(*) FROM unmatched_messages").fetchone()[0] == 0, 10,
                 "nothing is unmatched")
        assert sorted(r.header("webhook-id") for r in receiver.got()) == everything
