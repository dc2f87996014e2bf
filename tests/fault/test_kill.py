"""A node that dies without a word: kill -9."""
import os
import time

from invariants import check, owed
from wait import SLOWNESS, wait_for

MESSAGES = 20_000 // SLOWNESS


def processes_of(folder):
    """Processes that have this folder in their command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if str(folder).encode() in file.read():
                    found.append(int(pid))
        except OSError:
            pass  # it has ended meanwhile
    return found


def test_nothing_accepted_is_lost_by_kill_9(start_server, traffic):
    dev = start_server()
    with dev.api() as api:
        traffic.prepare(api)
    sending = traffic.send(dev, count=MESSAGES, connections=16)
    traffic.wait_accepted(MESSAGES * 2 // 5)
    dev.kill()
    wait_for(lambda: not processes_of(dev.folder), 10, "the private PostgreSQL has ended too")
    in_time = len(traffic.accepted)
    assert in_time < MESSAGES, "it has to die in the middle"
    dev.start()
    traffic.goes_on_at(dev.url)
    sending.wait()
    assert len(traffic.accepted) + len(traffic.unknown) == MESSAGES
    assert not traffic.refused or set(traffic.refused) == {503}
    # What was under way or not yet recorded comes again: attempts at once, and outcomes of a few milliseconds.
    traffic.check_all_arrived(dev, few=MESSAGES // 20)


def test_kill_9_again_and_again(start_server, traffic):
    """Also while the node is still taking over what its predecessor had."""
    dev = start_server(POSTHORN_RETRY_SCHEDULE="1,1,1,1,1")
    with dev.api() as api:
        traffic.prepare(api)
    sending = traffic.send(dev, count=MESSAGES // 4)
    for part in (1, 2, 3):
        traffic.wait_accepted(part * MESSAGES // 16)
        dev.kill()
        dev.start()
        check(dev)
        traffic.goes_on_at(dev.url)
    sending.wait()
    traffic.check_all_arrived(dev, few=MESSAGES // 20)


def test_another_node_takes_over_within_seconds(start_node, database, traffic):
    first, second = start_node(), start_node()
    traffic.sink.delay = 0.02
    with first.api() as api:
        traffic.prepare(api)
    sending = traffic.send(first, count=3000 // SLOWNESS)
    traffic.wait_accepted(1500 // SLOWNESS)
    first.kill()
    killed = time.monotonic()
    left = owed(database)
    assert left > 0, "the dead node has to leave something to take over"
    traffic.goes_on_at(second.url)
    sending.wait()
    traffic.wait_arrived(traffic.paths, 30)
    print(f"{left} deliveries taken over {time.monotonic() - killed:.1f} s after the kill")
    assert time.monotonic() - killed < 15 * SLOWNESS
    # all may have arrived before it: what the dead node had sent and not recorded
    wait_for(lambda: second.metrics()["posthorn_nodes_taken_over_total"] == 1, 15, "the dead node's deliveries are taken over")
    traffic.check_all_arrived(second, few=4 * 10 + 200)
    with database.database() as rows:
        assert rows.execute("SELECT count(*) FROM nodes WHERE dead_at IS NULL").fetchone() == (1,)


def test_both_nodes_deliver_what_either_accepts(start_node, database, traffic):
    """Nobody is killed: two nodes share the work and nothing comes twice."""
    first, second = start_node(), start_node()
    with first.api() as api:
        traffic.prepare(api)
    traffic.send(first, second, count=2000).wait()
    assert min(node.metrics()["posthorn_ingest_messages_total"] for node in (first, second)) > 500
    traffic.check_all_arrived(first, few=0)
