"""A broadcast whose node dies in the middle of it."""
from client import Api
from wait import wait_for

APPLICATIONS = 1500


def test_broadcast_goes_on_after_kill_9_and_sends_to_nobody_twice(start_node, database):
    node = start_node()
    with database.database() as rows, Api(node.url, node.api_key) as api:
        app = api.new_app()
        rows.execute("INSERT INTO applications (id, tenant_id, name) "
                     "SELECT uuid_now(), (SELECT tenant_id FROM applications LIMIT 1), 'x' FROM generate_series(2, %s)",
                     (APPLICATIONS,))

        def sent():
            return rows.execute("SELECT count(*) FROM messages").fetchone()[0]

        task = api.expect(202, "POST", "/msg/broadcast", json={"eventType": "a.b", "payload": {}})
        wait_for(lambda: sent() > 0, 20, "the first of them are sent")
        node.kill()
        before = sent()
        print(f"sent to {before} of {APPLICATIONS} before the kill")
        assert before < APPLICATIONS, "it has to die in the middle"
        node.start()
    with database.database() as rows, Api(node.url, node.api_key) as api:
        wait_for(lambda: api.expect(200, "GET", f"/background-task/{task['id']}")["status"] == "finished", 60, "it ends")
        assert rows.execute("SELECT count(*), count(DISTINCT application_id) FROM messages").fetchone() == (APPLICATIONS, APPLICATIONS)
        assert len(api.pages(f"/app/{app['id']}/msg")) == 1
        wait_for(lambda: rows.execute("SELECT count(*) FROM unmatched_messages").fetchone() == (0,), 30, "all are matched")
