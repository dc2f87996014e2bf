"""posthorn dev: a server with a PostgreSQL of its own, through restarts, kills and unfriendly folders."""
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from server import BINARY, Dev, environment, make_folder
from wait import SLOWNESS, wait_for


@pytest.fixture
def dev():
    one = Dev()
    yield one
    try:
        one.stop()
    finally:
        one.kill()
        wait_for(lambda: not postgres_of(one), 60, "its PostgreSQL is gone")
        if one.postgres_folder != one.data / "postgres":
            shutil.rmtree(one.postgres_folder)
        one.remove()


def postgres_of(dev):
    """The processes of its PostgreSQL."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdecimal() and Path(os.readlink(process / "cwd")) == dev.postgres_folder / "data":
                found.append(int(process.name))
        except OSError:
            pass
    return found


def run_dev(data, *options, **settings):
    return subprocess.run([BINARY, "dev", "--listen", "127.0.0.1:0", "--data", str(data), *options],
                          env=environment(settings), capture_output=True, text=True, timeout=60 * SLOWNESS)


def demo(dev):
    return json.loads((dev.data / "demo.json").read_text())


def test_second_start_has_the_same_key_and_data(dev):
    dev.start()
    first = (dev.api_key, dev.tenant_id)
    app = dev.api().new_app(uid="kept")
    endpoint = dev.api().new_endpoint(app, "http://127.0.0.1:9/", uid="kept")
    secret = dev.api().secret(app, endpoint)
    dev.stop()
    assert not postgres_of(dev)
    dev.start()
    assert (dev.api_key, dev.tenant_id) == first
    assert dev.api().secret("kept", "kept") == secret
    assert stat.S_IMODE((dev.data / "demo.json").stat().st_mode) == 0o600


def test_starts_at_once_after_kill(dev):
    dev.start()
    key = dev.api_key
    dev.api().new_app(uid="kept")
    for _ in range(2):
        dev.kill()
        dev.start()
        assert dev.api_key == key
        dev.api().expect(200, "GET", "/app/kept")


def test_killed_dev_takes_its_postgres_along(dev):
    dev.start()
    assert postgres_of(dev)
    dev.kill()
    wait_for(lambda: not postgres_of(dev), 30, "PostgreSQL has ended")


def test_ends_when_its_postgres_is_killed_and_recovers(dev):
    dev.start()
    dev.api().new_app(uid="kept")
    postmaster = int((dev.postgres_folder / "data" / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGKILL)
    assert dev.wait_end() == 1
    assert "PostgreSQL ended unexpectedly" in dev.log()
    dev.start()
    dev.api().expect(200, "GET", "/app/kept")


def test_starts_in_spite_of_a_recycled_process_number(dev):
    dev.start()
    dev.stop()
    pid_file = dev.postgres_folder / "data" / "postmaster.pid"
    owner = (dev.postgres_folder / "data").stat()
    other = subprocess.Popen(["sleep", "600"], **({"user": owner.st_uid} if os.geteuid() == 0 else {}))
    try:
        pid_file.write_text(f"{other.pid}\n{dev.postgres_folder / 'data'}\n")
        os.chown(pid_file, owner.st_uid, owner.st_gid)
        dev.start()
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_second_dev_on_the_folder_is_refused(dev):
    dev.start()
    done = run_dev(dev.data)
    assert done.returncode == 1
    assert f"{dev.data.resolve()} is in use by another posthorn dev." in done.stderr
    dev.api().expect(200, "GET", "/app")


def test_lost_key_is_replaced(dev):
    dev.start()
    old, tenant = dev.api_key, dev.tenant_id
    with dev.database() as database:
        database.execute("DELETE FROM api_keys")
    dev.stop()
    dev.start()
    assert dev.api_key != old
    assert dev.tenant_id == tenant
    dev.api().expect(200, "GET", "/app")


def test_lost_tenant_is_replaced(dev):
    dev.start()
    old = dev.tenant_id
    with dev.database() as database:
        database.execute("DELETE FROM tenants")
    dev.stop()
    dev.start()
    assert dev.tenant_id != old
    dev.api().expect(200, "GET", "/app")


def test_unreachable_database_is_a_clear_failure():
    folder = make_folder()
    try:
        start = time.monotonic()
        done = run_dev(folder / "data", POSTHORN_DATABASE_URL="host=127.0.0.1 port=1 dbname=nothing user=nobody")
        assert done.returncode == 1
        assert "The database of POSTHORN_DATABASE_URL cannot be reached." in done.stderr
        assert time.monotonic() - start < 20 * SLOWNESS
        assert not (folder / "data" / "postgres").exists()
    finally:
        shutil.rmtree(folder)


def test_uses_the_database_it_is_given(database):
    dev = Dev(POSTHORN_DATABASE_URL=database.database_url)
    try:
        dev.start()
        dev.api().new_app(uid="there")
        with database.database() as rows:
            assert rows.execute("SELECT count(*) FROM applications WHERE uid = 'there'").fetchone() == (1,)
        assert not (dev.data / "postgres").exists()
        dev.stop()
    finally:
        dev.remove()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a folder that PostgreSQL's user cannot enter")
def test_works_in_a_folder_that_postgres_cannot_enter(dev):
    dev.folder.chmod(0o700)
    dev.start()
    moved = Path((dev.data / "postgres.path").read_text().strip())
    assert moved.parent == Path("/var/lib") and (moved / "data" / "PG_VERSION").exists()
    assert f"cannot enter {dev.folder.resolve()}" in dev.log()
    dev.api().new_app(uid="kept")
    dev.stop()
    dev.start()
    dev.api().expect(200, "GET", "/app/kept")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a folder that PostgreSQL's user cannot enter")
def test_folder_that_was_closed_later_is_a_clear_failure(dev):
    dev.start()
    dev.stop()
    dev.folder.chmod(0o700)
    done = run_dev(dev.data)
    dev.folder.chmod(0o755)
    assert done.returncode == 1
    assert f"can no longer enter {dev.folder.resolve()}" in done.stderr
    assert not (dev.data / "postgres.path").exists()


def test_folder_with_a_long_path_and_odd_characters():
    folder = make_folder()
    deep = folder / ("it's a \\ long path " * 6).strip()
    dev = Dev(folder=deep)
    try:
        deep.mkdir()
        dev.start()
        dev.api().new_app()
        socket_folder = Path((dev.data / "postgres.socket").read_text().strip())
        assert len(str(socket_folder / ".s.PGSQL.5432")) <= 107
        assert stat.S_IMODE(socket_folder.stat().st_mode) == 0o700
        dev.stop()
        assert not socket_folder.exists()
    finally:
        dev.remove()
        shutil.rmtree(folder)


def test_is_deaf_to_libpq_variables(dev):
    dev.settings.update(PGHOST="/nonexistent", PGPORT="1", PGOPTIONS="-c default_transaction_read_only=on", PGDATA="/nonexistent", PGUSER="x")
    dev.start()
    dev.api().new_app()


def test_postgres_is_reachable_for_its_owner_only(dev):
    dev.start()
    assert stat.S_IMODE(dev.postgres_folder.stat().st_mode) == 0o700
    with dev.database() as database:
        settings = dict(database.execute("SELECT name, setting FROM pg_settings"))
    assert settings["listen_addresses"] == ""
    assert (settings["fsync"], settings["synchronous_commit"], settings["full_page_writes"]) == ("on", "on", "on")


def test_printed_first_request_works_when_pasted(dev):
    """The block that it prints, given to a shell as it is (but for the receiver's port), shows a verified delivery."""
    dev.start()
    wait_for(lambda: "Ctrl-C stops it." in dev.log(), what="the friendly text")
    block = dev.log().split("ends the receiver):", 1)[1].split("Ctrl-C", 1)[0]
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = "127.0.0.1:%d" % free.getsockname()[1]
    assert "127.0.0.1:8090" in block and " receive --secret " in block
    block = block.replace("127.0.0.1:8090", address).replace(" receive --secret ", f" receive --listen {address} --secret ")
    out = dev.folder / "pasted.log"
    with open(out, "wb") as log:
        shell = subprocess.Popen(["bash", "-uc", block + "\nwait"], env=environment({}), stdin=subprocess.DEVNULL,
                                 stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(lambda: "verified  -> 200" in out.read_text(), 30, "the delivery")
        text = out.read_text()
        assert '\n  {\n    "invoice": 42\n  }\n' in text
        message_id = re.search(r"webhook-id +(msg_\w+)", text)[1]
        assert f'"id":"{message_id}"' in text, "the answer to the last call"
    finally:
        os.killpg(shell.pid, signal.SIGTERM)
        shell.wait(30)


def test_refuses_a_misspelt_setting_and_a_wrong_option():
    with tempfile.TemporaryDirectory() as folder:
        done = run_dev(Path(folder) / "data", POSTHORN_LISTEM="127.0.0.1:1")
        assert done.returncode == 1 and "POSTHORN_LISTEM" in done.stderr
        done = run_dev(Path(folder) / "data", "--nonsense")
        assert done.returncode == 2 and done.stderr.startswith("posthorn dev: ")
        assert not (Path(folder) / "data").exists()
