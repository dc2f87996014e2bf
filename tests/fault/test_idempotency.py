"""Requests with an Idempotency-Key through kill -9: whoever asks until he is answered gets one object."""
import threading
import time

import httpx
from client import shared_http, unique
from wait import SLOWNESS, wait_for

CLIENTS = 8
KILLS = 4
ROUTES = ("/app", "/app/{app}/endpoint", "/app/{app}/msg")


class Asker(threading.Thread):
    """Asks for one thing after the other, each with a key of its own, until it is answered."""

    def __init__(self, get_url, api_key, app, n):
        super().__init__(daemon=True)
        self.get_url, self.app, self.n = get_url, app, n
        self.http = shared_http(headers={"Authorization": f"Bearer {api_key}"}, timeout=5.0 * SLOWNESS)
        self.made = []  # (route, name, id of the first answer, answers with other ids)
        self.repeated = 0
        self.stopping = False

    def run(self):
        number = 0
        while not self.stopping:
            number += 1
            route, name = ROUTES[number % len(ROUTES)], unique(f"thing-{self.n}")
            body = {"name": name} if route == "/app" else {"url": f"http://127.0.0.1:9/{name}"} if route.endswith("endpoint") \
                else {"eventType": name, "payload": {}}
            first = self.ask(route, name, body)
            self.made.append((route, name, first, self.ask(route, name, body)))
        self.http.close()

    def ask(self, route, name, body):
        while True:
            try:
                answer = self.http.post(f"{self.get_url()}/api/v1{route.format(app=self.app)}", json=body,
                                        headers={"Idempotency-Key": name})
                if answer.status_code != 503:
                    assert answer.is_success, answer.text
                    return answer.content
            except httpx.TransportError:
                pass
            self.repeated += 1
            time.sleep(0.02)


def test_kill_9_never_makes_a_second_one(start_node):
    node = start_node()
    with node.api() as api:
        app = api.new_app()["id"]
    askers = [Asker(lambda: node.url, node.api_key, app, n) for n in range(CLIENTS)]
    for asker in askers:
        asker.start()
    for kill in range(KILLS):
        wait_for(lambda: sum(len(a.made) for a in askers) >= 30 * (kill + 1), 30, "things are made")
        node.kill()
        node.start()
    wait_for(lambda: sum(len(a.made) for a in askers) >= 30 * (KILLS + 1), 30, "things are made")
    for asker in askers:
        asker.stopping = True
    for asker in askers:
        asker.join(30 * SLOWNESS)
        assert not asker.is_alive()
    assert sum(asker.repeated for asker in askers) >= KILLS, "the kills have to hit something"
    made = [one for asker in askers for one in asker.made]
    with node.api() as api:
        there = {"/app": [a["name"] for a in api.pages("/app", limit=250)],
                 ROUTES[1]: [e["url"].split("/")[-1] for e in api.pages(f"/app/{app}/endpoint", limit=250)],
                 ROUTES[2]: [m["eventType"] for m in api.pages(f"/app/{app}/msg", limit=250)]}
    for route, name, first, second in made:
        assert first == second, (route, first, second)
        assert there[route].count(name) == 1, (route, name)
    assert sum(map(len, there.values())) == len(made) + 1
