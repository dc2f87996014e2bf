"""Round after round of what may happen to an installation, during load and with receivers that fail: a node dies, or PostgreSQL
does. ROUNDS (30, fewer under a sanitizer) says how many; SEED repeats a run."""
import os
import random
import time

from invariants import check, wait_drained
from wait import SLOWNESS

ROUNDS = int(os.environ.get("ROUNDS", 30 // SLOWNESS))
MESSAGES = 400 // SLOWNESS  # of a round
# A delivery may come twice when it was under way at a death or its outcome was not stored then: it came first so long before,
# in seconds, or afterwards while the node could not store anything.
BEFORE, AFTER = 1.0, 1.0


class Deaths:
    """When something was dead, from and until."""

    def __init__(self):
        self.spans = []

    def during(self, what):
        begin = time.monotonic()
        what()
        self.spans.append((begin - BEFORE * SLOWNESS, time.monotonic() + AFTER * SLOWNESS))

    def explain(self, moment):
        return any(begin <= moment <= end for begin, end in self.spans)


def test_rounds_of_deaths_lose_nothing(start_node, database, postgres, traffic):
    seed = int(os.environ.get("SEED", time.time_ns() % 1_000_000))
    chance = random.Random(seed)
    settings = {"POSTHORN_RETRY_SCHEDULE": ",".join(["0"] * 15), "POSTHORN_RETRY_JITTER_PERCENT": 0,
                "POSTHORN_MEMORY_DELIVERIES": 2000}
    nodes = [start_node(**settings), start_node(**settings)]
    traffic.sink.failing, traffic.sink.delay = 0.2, 0.005
    with nodes[0].api() as api:
        traffic.prepare(api)
    deaths, happened = Deaths(), []

    def restart(node):
        node.kill()
        time.sleep(chance.choice((0, 0.5)))
        node.start()

    sending = traffic.send(*nodes, count=ROUNDS * MESSAGES)
    try:
        for n in range(ROUNDS):
            traffic.wait_accepted(n * MESSAGES + chance.randrange(MESSAGES // 4, MESSAGES // 2))
            what = chance.choice(("a node", "PostgreSQL", "both"))
            happened.append(what)
            if what != "PostgreSQL":
                node = chance.choice(nodes)
                deaths.during(lambda: (restart(node), postgres.restart() if what == "both" else None))
            else:
                deaths.during(postgres.restart)
            traffic.goes_on_at(*(node.url for node in nodes))
            check(database)
        sending.wait(120)
        traffic.wait_arrived(traffic.paths, 60)
        wait_drained(database, timeout=60)
    finally:
        sink = traffic.sink
        lost = [n for n in list(traffic.accepted) if any(sink.missing(path, [n]) for path in traffic.paths[n % len(traffic.paths)])]
        twice = [key for key, times in list(sink.counts.items()) if times > 1]
        print(f"seed {seed}: {ROUNDS} rounds ({', '.join(happened)}): accepted {len(traffic.accepted)}, unknown {len(traffic.unknown)}, "
              f"failed attempts {sink.failed}, lost {len(lost)}, duplicates {sink.duplicates()}")
    assert sink.failed > ROUNDS * MESSAGES * 0.1
    unexplained = [key for key in twice if not deaths.explain(sink.times[key])]
    assert not unexplained, f"{len(unexplained)} came twice though nobody died: {unexplained[:5]}"
    traffic.check_all_arrived(database, few=ROUNDS * MESSAGES // 10)
