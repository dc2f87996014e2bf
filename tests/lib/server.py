"""Processes of the program under test, and the PostgreSQL that some of them share.

`Dev` is one `posthorn dev`: a server with a PostgreSQL of its own. `Postgres` and `Node` are for what takes several nodes
or outlives one of them: any number of `posthorn serve` on one database.
"""
import base64
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg

from client import Api
from wait import SLOWNESS, alarms, wait_for

BINARY = os.environ.get("POSTHORN_BINARY", str(Path(__file__).parents[2] / "build" / "release" / "posthorn"))
REPORT = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|Assertion .* failed|double free or corruption")

# What every server of a test gets unless the test says otherwise: receivers are on the loopback, which the outbound guard
# refuses by default, and more than one thread of each kind whatever the number of cores.
SETTINGS = {
    "POSTHORN_GUARD_ALLOW": "127.0.0.0/8,::1/128",
    "POSTHORN_HTTP_THREADS": "2",
    "POSTHORN_DELIVERY_THREADS": "2",
}


def make_folder():
    """A new folder with a short path (a unix socket's is limited) that PostgreSQL's user can enter."""
    folder = Path(tempfile.mkdtemp(prefix="posthorn-test-"))
    folder.chmod(0o755)
    return folder


def environment(settings):
    """This process's environment without its own POSTHORN_ variables, with the given ones; None takes one away."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("POSTHORN_")}
    env.update({k: str(v) for k, v in {**SETTINGS, **settings}.items() if v is not None})
    return env


def run(*arguments, **settings):
    """Runs a command of the program to its end; its standard output. CalledProcessError when it fails."""
    env = environment({**dict.fromkeys(SETTINGS), **settings})
    done = subprocess.run([BINARY, *arguments], env=env, capture_output=True, text=True, timeout=60 * SLOWNESS)
    if done.returncode != 0:
        raise AssertionError(f"posthorn {' '.join(arguments)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Process:
    """One server process: start, stop, kill, start again. A report of a sanitizer, a failed assertion and any unexpected
    exit status make stop() fail."""

    all = []  # every process of this test run, the newest last

    def __init__(self, folder, **settings):
        self.folder = Path(folder)
        self.settings = settings
        self.log_file = self.folder / "server.log"
        self.ready_file = self.folder / "ready.json"
        self.process = None
        self._judged = 0  # characters of the log that check() has seen
        self._kept_log = ""  # of a folder that is gone
        Process.all.append(self)

    def command(self):
        raise NotImplementedError

    def start(self, timeout=60.0):
        assert not self.running, "it runs already"
        self.ready_file.unlink(missing_ok=True)
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(self.command(), env=environment(self.settings), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True)
        try:
            wait_for(lambda: self.ready_file.exists() or not self.running, timeout, f"{self} is ready")
            assert self.running, f"{self} ended with status {self.process.returncode} instead of starting:\n{self.log_tail()}"
        except BaseException:
            self.kill()
            raise
        ready = json.loads(self.ready_file.read_text())
        self.url = ready["url"]
        if ready.get("api_key"):
            self.api_key, self.tenant_id = ready["api_key"], ready["tenant_id"]
        return self

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self):
        return self.process.pid

    def stop(self, timeout=60.0):
        """SIGTERM; it has to end by itself, with status 0 and without a report."""
        if self.process is None:
            return
        if self.running:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout * SLOWNESS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self} did not stop in {timeout * SLOWNESS:g} s:\n{self.log_tail()}")
        self.process = None
        self.check()
        assert status == 0, f"{self} ended with status {status}:\n{self.log_tail()}"

    def kill(self):
        """SIGKILL, as a crash of the machine's power would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def remove(self):
        """Kills it if it runs, and removes its folder."""
        self.kill()
        self._kept_log = self.log()
        shutil.rmtree(self.folder, ignore_errors=True)

    def wait_end(self, timeout=60.0):
        """Waits until it ends by itself; its exit status, negative for a signal."""
        status = self.process.wait(timeout * SLOWNESS)
        self.process = None
        self.check()
        return status

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else self._kept_log

    def log_tail(self, lines=40):
        return "\n".join(self.log().splitlines()[-lines:])

    def check(self):
        """AssertionError when the log has a report that was not there at the last check."""
        text = self.log()
        new, self._judged = text[self._judged:], len(text)
        found = REPORT.search(new)
        assert not found, f"{self} reported:\n{new[found.start():][:6000]}"

    def metrics(self):
        """{name: value} of GET /metrics."""
        with Api(self.url, None) as api:
            text = api.http.get(self.url + "/metrics").raise_for_status().text
        return {name: float(value) for name, value in re.findall(r"^(\w+) (\S+)$", text, re.M)}

    def api(self, key=None, **more):
        return Api(self.url, key or self.api_key, **more)

    def __str__(self):
        return f"{type(self).__name__.lower()} in {self.folder}"


def _check_ended():
    for process in Process.all:
        if process.process is not None and not process.running:
            process.check()


alarms.append(_check_ended)


class Tenants:
    """Making tenants by the command line; for classes with a database_url."""

    def command_line(self, *arguments):
        return run(*arguments, POSTHORN_DATABASE_URL=self.database_url)

    def new_tenant(self, name="another"):
        """(tenant id, API key)"""
        tenant = json.loads(self.command_line("tenant", "create", "--json", "--name", name))
        key = json.loads(self.command_line("key", "create", "--json", "--tenant", tenant["id"]))
        return tenant["id"], key["key"]

    def database(self):
        """A connection that sees every tenant: the role posthorn_engine."""
        connection = psycopg.connect(self.database_url, autocommit=True)
        connection.execute("SET search_path = posthorn")
        connection.execute("SET ROLE posthorn_engine")
        return connection


class Dev(Process, Tenants):
    """`posthorn dev` with a data folder of its own, which outlives it until remove()."""

    def __init__(self, folder=None, **settings):
        super().__init__(folder or make_folder(), **settings)
        self.data = self.folder / "data"

    def command(self):
        return [BINARY, "dev", "--listen", "127.0.0.1:0", "--data", str(self.data), "--ready-file", str(self.ready_file)]

    @property
    def postgres_folder(self):
        return self._recorded("postgres.path") or self.data / "postgres"

    @property
    def database_url(self):
        socket = self._recorded("postgres.socket") or self.postgres_folder
        return f"host='{socket}' port=5432 user=posthorn dbname=posthorn"

    def _recorded(self, name):
        """Where dev has put something that usually is in the data folder."""
        record = self.data / name
        return Path(record.read_text().strip()) if record.exists() else None


class Postgres:
    """A PostgreSQL server in a folder of its own, on a unix socket; with databases that nodes share."""

    def __init__(self):
        self.folder = make_folder()
        self.socket = self.folder / "socket"
        self.data = self.socket / "data"
        # PostgreSQL refuses root.
        self._as = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        self._bin = Path(subprocess.check_output(["pg_config", "--bindir"], text=True).strip())
        self.process = None
        self.socket.mkdir(mode=0o700)
        if self._as:
            shutil.chown(self.socket, "postgres", "postgres")
        self._call("initdb", "-D", self.data, "-U", "posthorn", "--auth=trust", "--encoding=UTF8", "--locale=C")

    def _call(self, program, *arguments):
        done = subprocess.run([self._bin / program, *arguments], cwd=self.socket, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, **self._as)
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"

    def start(self, timeout=60.0):
        with open(self.folder / "postgres.log", "ab") as log:
            self.process = subprocess.Popen(
                [self._bin / "postgres", "-D", self.data, "-k", self.socket, "-c", "listen_addresses=", "-c", "port=5432",
                 "-c", "max_connections=300"],
                cwd=self.socket, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **self._as)
        wait_for(self._answers, timeout, "PostgreSQL answers")
        return self

    def _answers(self):
        assert self.process.poll() is None, f"PostgreSQL ended: {(self.folder / 'postgres.log').read_text()[-2000:]}"
        try:
            psycopg.connect(self.url("postgres")).close()
            return True
        except psycopg.OperationalError:
            return False

    def stop(self, how=signal.SIGINT, timeout=60.0):
        """SIGINT: fast, connections are cut. SIGQUIT: at once, recovery at the next start, as after a crash."""
        if self.process is not None:
            self.process.send_signal(how)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait(timeout)
            self.process = None

    def restart(self, how=signal.SIGQUIT):
        self.stop(how)
        self.start()

    def pause(self):
        """Every process of it stops where it is: connections stay open, and nothing answers."""
        self._signal_all(signal.SIGSTOP)

    def resume(self):
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number):
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in [self.process.pid, *map(int, children)]:
            os.kill(pid, number)

    def url(self, database):
        return f"host='{self.socket}' port=5432 user=posthorn dbname={database}"

    def new_database(self):
        """A `Database` with the migrations applied."""
        name = f"t{secrets.token_hex(6)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return Database(self.url(name))

    def remove(self):
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)


class Database(Tenants):
    """A migrated database with one tenant: what the nodes of one installation share."""

    def __init__(self, url):
        self.database_url = url
        self.master_key = base64.b64encode(secrets.token_bytes(32)).decode()
        self.command_line("migrate")
        self.tenant_id, self.api_key = self.new_tenant("first")


class Node(Process):
    """One `posthorn serve` on a Database."""

    def __init__(self, database, listen="127.0.0.1:0", **settings):
        self.listen = listen
        super().__init__(make_folder(), **{"POSTHORN_DATABASE_URL": database.database_url,
                                           "POSTHORN_MASTER_KEY": database.master_key, **settings})
        self.database = database
        self.api_key, self.tenant_id = database.api_key, database.tenant_id

    def command(self):
        return [BINARY, "serve", "--listen", self.listen, "--ready-file", str(self.ready_file)]
