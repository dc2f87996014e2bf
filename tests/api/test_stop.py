"""The end of a server: what is under way is answered, and nothing keeps it from ending."""
import threading
import time

from client import unique
from wait import SLOWNESS


def in_background(function):
    """(thread, list that gets the result)"""
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    return thread, results


def test_requests_under_way_are_answered_before_the_end(start_node, database):
    node = start_node(POSTHORN_STOP_TIMEOUT_MS="20000")
    with node.api() as api, database.database() as other:
        app = api.new_app(uid=unique("uid"))
        api.new_app()  # leaves an idle connection
        with other.transaction():
            other.execute("UPDATE applications SET name = 'locked' WHERE uid = %s", (app["uid"],))
            thread, results = in_background(lambda: node.api().patch(f"/app/{app['id']}", json={"name": "late"}))
            time.sleep(0.3 * SLOWNESS)
            stopper, _ = in_background(node.stop)
            time.sleep(0.3 * SLOWNESS)
            assert not results
        thread.join()
        stopper.join(10 * SLOWNESS)
        assert not stopper.is_alive(), "it waits longer than its requests"
    assert results[0].status_code == 200 and results[0].json()["name"] == "late"
    assert results[0].headers["connection"] == "close"


def test_requests_that_wait_for_a_hanging_database_are_given_up_in_time(start_node, postgres):
    node = start_node(POSTHORN_STOP_TIMEOUT_MS="1000")
    with node.api() as api:
        app = api.new_app()
        api.send(app)
        postgres.pause()
        try:
            requests = [in_background(lambda: node.api().get("/app")) for _ in range(3)]
            requests += [in_background(lambda: node.api().post(
                f"/app/{app['id']}/msg", json={"eventType": "a", "payload": {}})) for _ in range(3)]
            time.sleep(0.5 * SLOWNESS)
            stopper, _ = in_background(node.stop)
            for thread, results in requests:
                thread.join(10 * SLOWNESS)
                assert results and results[0].status_code == 503, results
                assert results[0].json()["code"] == "unavailable"
        finally:
            postgres.resume()
        stopper.join(20 * SLOWNESS)
        assert not stopper.is_alive()
