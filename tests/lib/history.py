"""Messages, attempts and deliveries written straight into the database, with times and outcomes that a running server would
take days to make. For reading them back by the REST interface.

    history = History(server, app)           an application that api.new_app() made
    m = history.message(minutes=90)          a message of 90 minutes ago; returns its wire id
    history.attempt(m, endpoint, minutes=80, status=2, status_code=500)
"""
import os
import time
import uuid

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def to_uuid(wire):
    """The database's form of an id: app_… to UUID."""
    value = 0
    for character in wire.rpartition("_")[2]:
        value = value * 62 + ALPHABET.index(character)
    return uuid.UUID(int=value)


def to_wire(prefix, key):
    value, digits = key.int, ""
    for _ in range(22):
        value, digit = divmod(value, 62)
        digits = ALPHABET[digit] + digits
    return f"{prefix}_{digits}"


def uuid_at(minutes):
    """A new UUIDv7 of so many minutes ago."""
    ms = int((time.time() - minutes * 60) * 1000)
    random = int.from_bytes(os.urandom(10), "big")
    return uuid.UUID(int=ms << 80 | 7 << 76 | (random >> 68 & 0xfff) << 64 | 2 << 62 | random & (1 << 62) - 1)


class History:
    def __init__(self, server, app, tenant_id=None):
        self.db = server.database()
        self.tenant, self.app = to_uuid(tenant_id or server.tenant_id), to_uuid(app["id"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.db.close()

    def message(self, minutes=0.0, payload=b"{}", event_type="test.happened", event_id=None, channels=None, tags=None,
                expires_in=None):
        """expires_in: minutes from now, negative for the past."""
        key = uuid_at(minutes)
        self.db.execute(
            "INSERT INTO messages (application_id, id, tenant_id, event_type, event_id, channels, tags, expires_at, payload) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, now() + %s * interval '1 minute', %s)",
            (self.app, key, self.tenant, event_type, event_id, channels, tags, expires_in, payload))
        if event_id:
            self.db.execute("INSERT INTO message_uids (application_id, event_id, tenant_id, message_id) VALUES (%s, %s, %s, %s)",
                            (self.app, event_id, self.tenant, key))
        return to_wire("msg", key)

    def attempt(self, message, endpoint, minutes=0.0, number=1, status=0, status_code=200, trigger=0, duration_ms=12,
                response=b"ok"):
        key = uuid_at(minutes)
        self.db.execute(
            "INSERT INTO attempts (message_id, id, endpoint_id, tenant_id, number, status, trigger_type, status_code, "
            "duration_ms, url, response) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (to_uuid(message), key, to_uuid(endpoint["id"]), self.tenant, number, status, trigger, status_code, duration_ms,
             endpoint["url"], response))
        return to_wire("atmpt", key)

    def delivery(self, message, endpoint, attempts=0, due_in=60.0):
        """Owed, and waiting in the database for so many minutes; due_in None: a running node's."""
        self.db.execute(
            "INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, next_at, node_id, attempts) "
            "VALUES (%s, %s, %s, %s, now() + %s * interval '1 minute', CASE WHEN %s THEN (SELECT max(id) FROM nodes) END, %s)",
            (to_uuid(endpoint["id"]), to_uuid(message), self.tenant, self.app, due_in, due_in is None, attempts))

    def closed(self, message, endpoint, state):
        """state: "canceled" or "skipped"."""
        self.db.execute("INSERT INTO closed_deliveries (message_id, endpoint_id, tenant_id, state) VALUES (%s, %s, %s, %s)",
                        (to_uuid(message), to_uuid(endpoint["id"]), self.tenant, {"canceled": 4, "skipped": 5}[state]))

    def schedule(self, endpoint):
        """What waits for the endpoint is looked at now, as far as it is due."""
        self.db.execute("INSERT INTO endpoint_schedule (endpoint_id, tenant_id, next_due_at) VALUES (%s, %s, now())",
                        (to_uuid(endpoint["id"]), self.tenant))

    def payload(self, message):
        """The bytes that are stored; None: cleared."""
        (found,), = self.db.execute("SELECT payload FROM messages WHERE id = %s", (to_uuid(message),))
        return found

    def stats(self, endpoint, minutes=0.0, success=0, failure=0, exhausted=0):
        """The roll-up of the five minutes that were so long ago."""
        self.db.execute(
            "INSERT INTO delivery_stats (endpoint_id, bucket, tenant_id, success, failure, exhausted, duration_counts) "
            "VALUES (%s, to_timestamp(floor(extract(epoch FROM now() - %s * interval '1 minute') / 300) * 300), %s, %s, %s, %s, "
            "'{0,0,0,0,0,0,0,0}')",
            (to_uuid(endpoint["id"]), minutes, self.tenant, success, failure, exhausted))

    def hour(self, hours=0, event_type="test.happened", messages=0, success=0, failure=0, exhausted=0, durations=None, owner=None):
        """The counts of the hour that was so many hours ago, of the application or another owner (a wire id)."""
        self.db.execute(
            "INSERT INTO hourly_stats (owner_id, bucket, event_type, tenant_id, messages, success, failure, exhausted, "
            "duration_counts) VALUES (%s, date_bin('1 hour', now() - %s * interval '1 hour', 'epoch'), %s, %s, %s, %s, %s, %s, %s)",
            (to_uuid(owner) if owner else self.app, hours, event_type, self.tenant, messages, success, failure, exhausted,
             durations or [success + failure, 0, 0, 0, 0, 0, 0, 0]))
