"""Messages that were committed without a node, and nodes that die over them."""
import psycopg
from client import unique
from invariants import check_drained, wait_drained
from psycopg import conninfo
from wait import SLOWNESS, wait_for

MESSAGES = 4000 // SLOWNESS


def test_what_was_sent_from_sql_survives_kill_9(postgres, database, start_node, new_receiver):
    """Nodes die while they match; and without any, messages wait."""
    receiver = new_receiver()
    first = start_node()
    with first.api() as api:
        app = api.new_app()
        api.new_endpoint(app, receiver.url())
    role = unique("customer").replace("-", "_")
    with psycopg.connect(database.database_url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN")
    database.command_line("sql-user", "create", "--tenant", database.tenant_id, "--role", role)
    sent = []
    with psycopg.connect(conninfo.make_conninfo(database.database_url, user=role), autocommit=True) as customer:

        def send():
            rows = customer.execute("SELECT posthorn.send(%s, 'x', '{}') FROM generate_series(1, %s)",
                                    [app["id"], MESSAGES // 2]).fetchall()
            sent.extend(row[0] for row in rows)

        send()
        wait_for(lambda: receiver.got(), 10, "some have been matched")
        first.kill()
        send()
    second = start_node()
    wait_for(lambda: len({r.header("webhook-id") for r in receiver.got()}) == len(sent), 60, "all have arrived")
    assert {r.header("webhook-id") for r in receiver.got()} == set(sent)
    wait_drained(second)
    check_drained(second, sent)
