"""A batch of messages that a crash cuts in two: with its key it is finished by the same request again."""
import json
import threading

import httpx
from client import Api, unique
from history import to_uuid
from wait import wait_for

COUNT = 1000


def test_batch_cut_by_kill_9_is_finished_by_sending_it_again(start_node, database):
    node = start_node(POSTHORN_INGEST_ROWS=20)
    body, headers = {"messages": [{"eventType": "a.b", "payload": {"n": n}} for n in range(COUNT)]}, {"Idempotency-Key": unique()}
    with Api(node.url, node.api_key) as api, database.database() as rows:
        app = api.new_app()

        def stored():
            return rows.execute("SELECT count(*) FROM messages WHERE application_id = %s", (to_uuid(app["id"]),)).fetchone()[0]

        def send():
            try:
                api.http.post(f"{api.url}/api/v1/app/{app['id']}/msg/batch", json=body, headers=headers)
            except httpx.HTTPError:
                pass

        sending = threading.Thread(target=send)
        sending.start()
        wait_for(lambda: stored() > 0, 20, "the first of them are stored")
        node.kill()
        sending.join()
        before = stored()
        print(f"{before} of {COUNT} were stored before the kill")
        node.start()
    with Api(node.url, node.api_key) as api, database.database() as rows:
        data = api.expect(202, "POST", f"/app/{app['id']}/msg/batch", json=body, headers=headers)["data"]
        assert {entry["status"] for entry in data} == {202}
        told = [to_uuid(entry["message"]["id"]) for entry in data]
        made = dict(rows.execute("SELECT id, payload FROM messages WHERE application_id = %s", (to_uuid(app["id"]),)))
        assert [json.loads(made[id]) for id in told] == [{"n": n} for n in range(COUNT)]
        assert len(made) == COUNT
