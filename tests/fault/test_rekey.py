"""Moving to another master key while nodes serve: `posthorn rekey`."""
import base64
import hashlib
import hmac
import subprocess
from collections import Counter

import pytest
from invariants import uuid_of
from server import BINARY, Node, environment, run
from wait import SLOWNESS, wait_for


def new_key():
    return run("master-key").strip()


def signature(secret, request):
    signed = f"{request.header('webhook-id')}.{request.header('webhook-timestamp')}.".encode() + request.body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def rekey(database, *arguments, **settings):
    """What it prints; status and standard error when it fails."""
    env = environment({"POSTHORN_DATABASE_URL": database.database_url, "POSTHORN_MASTER_KEY": database.master_key, **settings})
    done = subprocess.run([BINARY, "rekey", *arguments], env=env, capture_output=True, text=True, timeout=60 * SLOWNESS)
    return done.stdout if done.returncode == 0 else (done.returncode, done.stderr)


def wrapped(database):
    with database.database() as rows:
        return [bytes(row[0]) for row in rows.execute("SELECT wrapped FROM data_keys ORDER BY id").fetchall()]


def endpoint_with_header(api, app, url="http://127.0.0.1:9/"):
    endpoint = api.new_endpoint(app, url)
    api.expect(204, "PUT", headers_path(app, endpoint), json={"headers": {"X-Custom": "a sealed value"}})
    return endpoint


def headers_path(app, endpoint):
    return f"/app/{app['id']}/endpoint/{endpoint['id']}/headers"


def fails_to_start(node):
    with pytest.raises(AssertionError, match="instead of starting"):
        node.start()
    return node.log()


def test_every_restart_works_at_every_moment_of_the_move(start_node, database, receiver):
    """The procedure of the README, with a message that is signed at each step."""
    old, new = database.master_key, new_key()
    running, restarted = start_node(), start_node()
    with running.api() as api:
        app = api.new_app()
        endpoint = endpoint_with_header(api, app, receiver.url())
        secret = api.secret(app, endpoint)

    def serves(node):
        before = len(receiver.got())
        with node.api() as api:
            assert api.secret(app, endpoint) == secret
            api.send(app)
        request = receiver.wait(before + 1)[before]
        assert request.header("webhook-signature") == signature(secret, request)
        assert request.header("x-custom") == "a sealed value"

    def restart(**settings):
        restarted.stop()
        restarted.settings.update(settings)
        restarted.start()
        serves(restarted)
        serves(running)

    serves(restarted)
    restart(POSTHORN_MASTER_KEY_NEW=new)
    keys = wrapped(database)
    assert "1 data key is now wrapped by the new master key" in rekey(database, POSTHORN_MASTER_KEY_NEW=new)
    assert all(a != b for a, b in zip(keys, wrapped(database), strict=True))
    serves(running)  # it has never heard of the new key
    restart()
    restart(POSTHORN_MASTER_KEY=new, POSTHORN_MASTER_KEY_NEW=None)
    restarted.stop()
    restarted.settings["POSTHORN_MASTER_KEY"] = old
    assert "the master key is not the one" in fails_to_start(restarted)
    restarted.settings["POSTHORN_MASTER_KEY"] = new
    restarted.start()
    serves(restarted)
    assert '"level":"error"' not in running.log()


def test_new_values_are_sealed_and_opened_by_old_and_new_nodes_alike(start_node, database):
    new = new_key()
    before = start_node()
    rekey(database, POSTHORN_MASTER_KEY_NEW=new)
    after = start_node(POSTHORN_MASTER_KEY=new)
    with before.api() as one, after.api() as other:
        app = one.new_app()
        for here, there in ((one, other), (other, one)):
            endpoint = endpoint_with_header(here, app)
            assert here.secret(app, endpoint) == there.secret(app, endpoint)
            assert there.expect(200, "GET", headers_path(app, endpoint))["headers"] == {"X-Custom": "a sealed value"}


def test_the_new_key_may_come_from_a_file(start_node, database, tmp_path):
    start_node().stop()
    file = tmp_path / "key"
    file.write_text(new_key() + "\n")
    assert "1 data key is now" in rekey(database, "--new-key-file", str(file))
    assert rekey(database, "--new-key-file", str(file)).startswith("All data keys were wrapped by the new master key already")
    database.master_key = file.read_text().strip()
    start_node()


def test_a_wrong_key_changes_nothing(start_node, database, tmp_path):
    start_node().stop()
    before = wrapped(database)
    wrong, new = new_key(), new_key()
    status, text = rekey(database, POSTHORN_MASTER_KEY=wrong, POSTHORN_MASTER_KEY_NEW=new)
    assert status == 1 and "opens with neither master key; nothing has been changed" in text
    for settings, arguments, complaint in (
            ({}, (), "POSTHORN_MASTER_KEY_NEW is not set"),
            ({"POSTHORN_MASTER_KEY_NEW": "abc"}, (), "POSTHORN_MASTER_KEY_NEW is not base64 of 32 bytes"),
            ({"POSTHORN_MASTER_KEY": None, "POSTHORN_MASTER_KEY_NEW": new}, (), "POSTHORN_MASTER_KEY is not set"),
            ({}, ("--new-key-file", str(tmp_path / "none")), "cannot be read")):
        status, text = rekey(database, *arguments, **settings)
        assert status == 1 and complaint in text
        assert not any(key in text for key in (database.master_key, wrong, new))
    assert rekey(database, "--new-data-key", "--new-key-file", "x")[0] == 2
    assert wrapped(database) == before


def test_serve_refuses_a_new_key_that_is_none(database):
    node = Node(database, POSTHORN_MASTER_KEY_NEW="abc")
    try:
        assert "POSTHORN_MASTER_KEY_NEW is not base64 of 32 bytes" in fails_to_start(node)
    finally:
        node.remove()


def key_of(database, endpoint):
    """The data key that its newest secret is sealed with."""
    with database.database() as rows:
        sealed, = rows.execute("SELECT sealed FROM endpoint_secrets WHERE endpoint_id = %s ORDER BY id DESC LIMIT 1",
                               [uuid_of(endpoint["id"])]).fetchone()
    return int.from_bytes(sealed[1:5], "big")


def test_running_nodes_learn_of_a_new_data_key(start_node, database):
    running = start_node()
    with running.api() as api:
        app = api.new_app()
        old = api.new_endpoint(app, "http://127.0.0.1:9/")
        secret = api.secret(app, old)
        assert key_of(database, old) == 1
        assert rekey(database, "--new-data-key") == "Data key 2 seals from a minute from now on.\n"
        wait_for(lambda: '"msg":"new data keys"' in running.log(), 10, "the node knows of it")
        assert key_of(database, api.new_endpoint(app, "http://127.0.0.1:9/")) == 1, "not before every node knows it"
        with database.database() as rows:
            rows.execute("UPDATE data_keys SET created_at = created_at - interval '2 minutes'")
        with start_node().api() as later:
            endpoint = later.new_endpoint(app, "http://127.0.0.1:9/")
            assert key_of(database, endpoint) == 2
            assert later.secret(app, old) == secret
            assert api.secret(app, endpoint) == later.secret(app, endpoint)
    new = new_key()
    assert "2 data keys are now wrapped" in rekey(database, POSTHORN_MASTER_KEY_NEW=new)
    with start_node(POSTHORN_MASTER_KEY=new).api() as api:
        assert api.secret(app, old) == secret


SEALED = ("SELECT sealed FROM endpoint_secrets UNION ALL SELECT headers_sealed FROM endpoints UNION ALL SELECT mtls_sealed FROM endpoints"
          " UNION ALL SELECT oauth_sealed FROM endpoints")


def keys_in_use(database):
    """How many values each data key has sealed."""
    with database.database() as rows:
        return Counter(int.from_bytes(sealed[1:5], "big") for sealed, in rows.execute(SEALED) if sealed)


def test_old_values_are_sealed_anew_while_a_node_serves(start_node, database, receiver, authority):
    node = start_node()
    identity = authority.client()
    oauth = {"grantType": "clientCredentials", "authMethod": "clientSecretBasic", "clientId": "client", "clientSecret": "a secret",
             "tokenUrl": receiver.url("/token")}
    count = 230  # more than two batches
    with node.api() as api:
        app = api.new_app()
        endpoints = [api.new_endpoint(app, receiver.url()) for _ in range(count)]
        paths = [f"/app/{app['id']}/endpoint/{e['id']}" for e in endpoints]
        api.expect(204, "PUT", paths[0] + "/headers", json={"headers": {"X-Custom": "a sealed value"}})
        api.expect(204, "PUT", paths[0] + "/mtls", json={"identity": identity})
        api.expect(204, "PUT", paths[1] + "/oauth", json=oauth)
        api.expect(200, "POST", paths[2] + "/secret/rotate", json={})
        values = count + 4

        def what_they_say(client):
            return [client.expect(200, "GET", path)["key"] for path in (p + "/secret" for p in paths)] + [
                client.expect(200, "GET", p) for p in (paths[0] + "/headers", paths[0] + "/mtls", paths[1] + "/oauth")]

        before = what_they_say(api)
        assert keys_in_use(database) == {1: values}
        rekey(database, "--new-data-key")
        assert rekey(database, "--reseal") == "0 values sealed anew with data key 1.\n", "it does not seal yet"
        with database.database() as rows:
            rows.execute("UPDATE data_keys SET created_at = created_at - interval '2 minutes'")
            versions = rows.execute("SELECT id, version FROM endpoints ORDER BY id").fetchall()
            broken, sealed = rows.execute("SELECT id, sealed FROM endpoint_secrets ORDER BY id LIMIT 1").fetchone()
            rows.execute("UPDATE endpoint_secrets SET sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1) WHERE id = %s", [broken])
            status, text = rekey(database, "--reseal")
            assert status == 1 and "posthorn rekey: 1 values do not open; they stay as they are\n" in text
            assert keys_in_use(database) == {1: 1, 2: values - 1}
            rows.execute("UPDATE endpoint_secrets SET sealed = %s WHERE id = %s", [sealed, broken])
            assert rekey(database, "--reseal") == "1 values sealed anew with data key 2.\n"
            assert keys_in_use(database) == {2: values}
            assert rows.execute("SELECT id, version FROM endpoints ORDER BY id").fetchall() == versions
        wait_for(lambda: what_they_say(api) == before, 10, "the running node opens them")
        with start_node().api() as fresh:
            assert what_they_say(fresh) == before
        assert "does not open" not in node.log()
