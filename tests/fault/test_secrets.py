"""What is secret is nowhere to be read: not in a dump of the whole database, not in the logs."""
import base64
import json
import secrets
import subprocess

import pytest
from invariants import wait_drained
from receiver import ok, status
from server import BINARY, environment, run


def dump(database):
    """The whole database as SQL."""
    folder = subprocess.check_output(["pg_config", "--bindir"], text=True).strip()
    return subprocess.run([f"{folder}/pg_dump", "--dbname", database.database_url], capture_output=True, check=True).stdout


def forms(secret):
    """How a text or key may be written: as it is, in hex as PostgreSQL prints bytes, in base64."""
    values = {secret.encode()}
    body = secret.removeprefix("whsec_")
    values.add(body.encode())
    try:
        values.add(base64.b64decode(body, validate=True))
    except ValueError:
        pass  # no base64
    for value in list(values):
        values |= {value.hex().encode(), base64.b64encode(value).rstrip(b"=")}
    return values


def found(secret, *texts):
    return any(form in text for form in forms(secret) for text in texts)


def test_search_finds_what_is_there():
    """Else the tests below would say nothing."""
    key = secrets.token_bytes(24)
    secret = "whsec_" + base64.b64encode(key).decode()
    for text in (secret.encode(), key, key.hex().encode(), base64.b64encode(key), secret.encode().hex().encode(),
                 b"x" + base64.b64encode(secret.encode()) + b"x"):
        assert found(secret, b"something else", b"..." + text + b"...")
    assert not found(secret, b"something else", secrets.token_bytes(24))


def test_no_secret_is_in_the_database_or_in_a_log(start_node, database, postgres, receiver, authority):
    new_master = run("master-key").strip()
    node = start_node(POSTHORN_LOG_LEVEL="debug", POSTHORN_RETRY_SCHEDULE="0", POSTHORN_RETRY_JITTER_PERCENT=0,
                      POSTHORN_MASTER_KEY_NEW=new_master)
    hidden = {"the master key": database.master_key, "the new master key": new_master, "the API key": database.api_key,
              "the key of another tenant": database.new_tenant("other")[1]}
    marker = f"marker-{secrets.token_hex(8)}"
    with node.api() as api:
        app = api.new_app()
        own = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        endpoint = api.new_endpoint(app, receiver.url("/own"), secret=own, uid="own")
        path = f"/app/{app['id']}/endpoint/{endpoint['id']}"
        hidden["a given endpoint secret"] = own
        other = api.new_endpoint(app, receiver.url("/made"))
        hidden["a made endpoint secret"] = api.secret(app, other)
        rotated = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        hidden["a given secret of a rotation"] = rotated
        api.expect(200, "POST", path + "/secret/rotate", json={"key": rotated})
        api.expect(200, "POST", f"/app/{app['id']}/endpoint/{other['id']}/secret/rotate", json={})
        hidden["a made secret of a rotation"] = api.secret(app, other)
        header, bearer = (f"value-{secrets.token_hex(12)}" for _ in range(2))
        hidden |= {"a custom header": header, "a sensitive custom header": bearer}
        api.expect(204, "PUT", path + "/headers", json={"headers": {"X-Custom": header, "Authorization": bearer}})
        operational = api.expect(201, "POST", "/operational-webhook/endpoint", json={"url": receiver.url("/operational")})
        hidden["the secret of an operational endpoint"] = api.expect(
            200, "GET", f"/operational-webhook/endpoint/{operational['id']}/secret")["key"]
        client_secret = secrets.token_hex(16)
        hidden["an OAuth client secret"] = client_secret
        other_path = f"/app/{app['id']}/endpoint/{other['id']}"
        api.expect(204, "PUT", other_path + "/oauth", json={
            "grantType": "clientCredentials", "authMethod": "clientSecretBasic", "clientId": "client", "clientSecret": client_secret,
            "tokenUrl": receiver.url("/token")})
        identity = authority.client()
        lines = identity[identity.index("-----BEGIN PRIVATE KEY"):].splitlines()
        hidden["a client's private key"] = lines[1]
        api.expect(204, "PUT", other_path + "/mtls", json={"identity": identity})
        token = secrets.token_hex(16)
        hidden["an OAuth token"] = token
        receiver.script("/token", ok(json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": 3600}).encode()))
        # What fails, and might say why by showing it.
        refused = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        hidden["the secret of an endpoint that was refused"] = refused
        body = {"url": receiver.url(), "secret": refused, "uid": "own"}
        assert api.post(f"/app/{app['id']}/endpoint", json=body).status_code == 409
        wrong = f"whsec_{secrets.token_hex(20)}!"
        hidden["a secret that is none"] = wrong
        assert api.post(f"/app/{app['id']}/endpoint", json={**body, "secret": wrong}).status_code == 422
        receiver.script("/own", status(500))
        api.send(app, {"marker": marker})
        receiver.wait(1, "/made")
        receiver.wait(2, "/own")
        assert receiver.got("/made")[0].header("authorization") == f"Bearer {token}"
        assert any(r.header("x-custom") == header for r in receiver.got("/own"))
        wait_drained(node)
        unknown = f"{database.api_key[:-4]}{secrets.token_hex(2)}"
        hidden["a key that is none"] = unknown
    with node.api(unknown) as api:
        assert api.get("/app").status_code == 401
    postgres.stop()  # statements fail, and the log says which
    try:
        with node.api() as api:
            assert api.post(f"/app/{app['id']}/endpoint", json=body).status_code == 503
    finally:
        postgres.start()
    run("rekey", POSTHORN_DATABASE_URL=database.database_url, POSTHORN_MASTER_KEY=database.master_key,
        POSTHORN_MASTER_KEY_NEW=new_master)
    node.stop()
    dumped = dump(database)
    log, postgres_log = node.log().encode(), (postgres.folder / "postgres.log").read_bytes()
    assert marker.encode().hex().encode() in dumped, "the dump has what is in the database"
    assert b'"msg":"database lost"' in log and b"endpoints_uid" in postgres_log, "the logs have what went wrong"
    texts = {"the dump": dumped, "the node's log": log, "PostgreSQL's log": postgres_log}
    shown = [f"{what} is in {where}" for what, secret in hidden.items() for where, text in texts.items() if found(secret, text)]
    assert not shown


@pytest.mark.parametrize("command", ["config", "serve"])
def test_no_setting_that_is_secret_is_printed(database, command):
    """By a server that says what is wrong with its settings, least of all."""
    secret = secrets.token_hex(16)
    settings = {"POSTHORN_MASTER_KEY": secret, "POSTHORN_MASTER_KEY_NEW": secret[::-1],
                "POSTHORN_DATABASE_URL": f"postgresql://nobody:{secret}x@127.0.0.1:1/none", "POSTHORN_BODY_BYTES": "1M"}
    done = subprocess.run([BINARY, command], env=environment(settings), capture_output=True, text=True, timeout=60)
    assert (done.returncode == 0) == (command == "config")
    text = done.stdout + done.stderr
    assert "POSTHORN_MASTER_KEY" in text and secret not in text and secret[::-1] not in text
