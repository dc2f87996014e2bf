"""A server with wrong settings says which, and does not start."""
import base64
import subprocess

import psycopg
import pytest
from server import BINARY, Node, environment
from wait import SLOWNESS

OTHER_KEY = base64.b64encode(bytes(32)).decode()


def refuses(database, **settings):
    """Starts `posthorn serve`, which has to end at once with status 1; what it wrote to standard error."""
    env = environment({"POSTHORN_DATABASE_URL": database.database_url, "POSTHORN_MASTER_KEY": database.master_key,
                       "POSTHORN_LISTEN": "127.0.0.1:0", **settings})
    done = subprocess.run([BINARY, "serve"], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=20 * SLOWNESS)
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    return done.stderr


@pytest.fixture(scope="module")
def used(postgres):
    """A database in which the keys that seal have been made."""
    one = postgres.new_database()
    node = Node(one)
    try:
        node.start()
        with node.api() as api:
            app = api.new_app()
            api.new_endpoint(app, "http://127.0.0.1:9/")
        node.stop()
    finally:
        node.remove()
    return one


@pytest.mark.parametrize("name, value", [
    ("POSTHORN_HTTP_THREADS", "two"), ("POSTHORN_HTTP_THREADS", "-1"), ("POSTHORN_HTTP_THREADS", "65"),
    ("POSTHORN_DELIVERY_THREADS", "1.5"), ("POSTHORN_BODY_BYTES", "1X"), ("POSTHORN_BODY_BYTES", "1"),
    ("POSTHORN_ATTEMPT_TIMEOUT_MS", "99999999999999999999"), ("POSTHORN_ATTEMPT_TIMEOUT_MS", "1s"),
    ("POSTHORN_LOG_LEVEL", "loud"), ("POSTHORN_RETRY_JITTER_PERCENT", "101"), ("POSTHORN_MEMORY_DELIVERIES", "99"),
    ("POSTHORN_RETRY_SCHEDULE", "5,x"), ("POSTHORN_RETRY_SCHEDULE", "5,-1"),
    ("POSTHORN_GUARD_ALLOW", "10.0.0.0/33"), ("POSTHORN_GUARD_ALLOW", "example.com"), ("POSTHORN_GUARD_ALLOW", "10.0.0.1/8"),
    ("POSTHORN_TRUSTED_PROXIES", "10.0.0.1/8"), ("POSTHORN_CA_FILE", "/nowhere/ca.pem"), ("POSTHORN_LISTEN", "nowhere"), ("POSTHORN_LISTEN", "127.0.0.1:99999"),
    ("POSTHORN_MASTER_KEY", "c2hvcnQ="), ("POSTHORN_MASTER_KEY", "!" * 44),
])
def test_wrong_value_is_named(used, name, value):
    text = refuses(used, **{name: value})
    # It may come from an option of the command line as well.
    assert ("listen address" if name == "POSTHORN_LISTEN" else name) in text
    if name == "POSTHORN_MASTER_KEY":
        assert value not in text, "a secret is not repeated"
    else:
        assert value.rpartition(",")[2] in text, "the part that is wrong"


def test_all_wrong_values_are_named_at_once(used):
    text = refuses(used, POSTHORN_HTTP_THREADS="x", POSTHORN_BODY_BYTES="y", POSTHORN_WITH_TYPO="z")
    assert all(name in text for name in ("POSTHORN_HTTP_THREADS", "POSTHORN_BODY_BYTES", "POSTHORN_WITH_TYPO"))


def test_unknown_variable_is_named_with_what_was_meant(used):
    text = refuses(used, POSTHORN_RETRY_SCEDULE="1")
    assert "POSTHORN_RETRY_SCEDULE" in text and "POSTHORN_RETRY_SCHEDULE" in text


def test_missing_database_url(used):
    assert "POSTHORN_DATABASE_URL is not set" in refuses(used, POSTHORN_DATABASE_URL=None)


def test_missing_master_key(used):
    assert "POSTHORN_MASTER_KEY is not set" in refuses(used, POSTHORN_MASTER_KEY=None)


def test_master_key_of_another_database(used):
    text = refuses(used, POSTHORN_MASTER_KEY=OTHER_KEY)
    assert "POSTHORN_MASTER_KEY" in text and "master key is not the one" in text
    assert OTHER_KEY not in text


def test_database_that_was_not_migrated(postgres, used):
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE not_migrated")
    text = refuses(used, POSTHORN_DATABASE_URL=postgres.url("not_migrated"))
    assert "posthorn migrate" in text


def test_database_of_a_newer_version(postgres, used):
    """Migrations that this program does not know of: an old program must not write into new tables."""
    newer = postgres.new_database()
    with psycopg.connect(newer.database_url, autocommit=True) as connection:
        columns = [c.name for c in connection.execute("SELECT * FROM posthorn.migrations").description]
        row = connection.execute("SELECT * FROM posthorn.migrations ORDER BY 1 DESC LIMIT 1").fetchone()
        row = dict(zip(columns, row))
        for key, value in row.items():
            if isinstance(value, int):
                row[key] = 9999
            elif isinstance(value, str):
                row[key] = "9999_of_the_future.sql"
        connection.execute(f"INSERT INTO posthorn.migrations ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})",
                           list(row.values()))
    assert "newer" in refuses(newer)


def test_taken_address_is_named(used, receiver):
    text = refuses(used, POSTHORN_LISTEN=f"127.0.0.1:{receiver.port}")
    assert f"127.0.0.1:{receiver.port}" in text and "in use" in text
