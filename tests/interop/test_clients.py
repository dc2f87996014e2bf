"""One scenario for each published client library, through every operation that the first of them had and ours is to have, for
ever. What was asked and how it was answered is seen on the wire."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from recorder import Recorder
from wait import SLOWNESS

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build"

# But for GET /health/ping, which no library asks.
OPERATIONS = {f"{method} /api/v1{path}" for path, methods in {
    "/app": "GET POST",
    "/app/{app_id}": "DELETE GET PATCH PUT",
    "/app/{app_id}/attempt/endpoint/{endpoint_id}": "GET",
    "/app/{app_id}/attempt/msg/{msg_id}": "GET",
    "/app/{app_id}/endpoint": "GET POST",
    "/app/{app_id}/endpoint/{endpoint_id}": "DELETE GET PATCH PUT",
    "/app/{app_id}/endpoint/{endpoint_id}/headers": "GET PATCH PUT",
    "/app/{app_id}/endpoint/{endpoint_id}/msg": "GET",
    "/app/{app_id}/endpoint/{endpoint_id}/recover": "POST",
    "/app/{app_id}/endpoint/{endpoint_id}/secret": "GET",
    "/app/{app_id}/endpoint/{endpoint_id}/secret/rotate": "POST",
    "/app/{app_id}/endpoint/{endpoint_id}/send-example": "POST",
    "/app/{app_id}/endpoint/{endpoint_id}/stats": "GET",
    "/app/{app_id}/msg": "GET POST",
    "/app/{app_id}/msg/{msg_id}": "GET",
    "/app/{app_id}/msg/{msg_id}/attempt/{attempt_id}": "GET",
    "/app/{app_id}/msg/{msg_id}/attempt/{attempt_id}/content": "DELETE",
    "/app/{app_id}/msg/{msg_id}/content": "DELETE",
    "/app/{app_id}/msg/{msg_id}/endpoint": "GET",
    "/app/{app_id}/msg/{msg_id}/endpoint/{endpoint_id}/resend": "POST",
    "/auth/app-portal-access/{app_id}": "POST",
    "/auth/logout": "POST",
    "/event-type": "GET POST",
    "/event-type/{event_type_name}": "DELETE GET PATCH PUT",
    "/health": "GET",
}.items() for method in methods.split()}


def compiled(tool, folder, *command, binary):
    """A program that is compiled here, out of packages whose versions the lock file says; skipped without the tool."""
    if not shutil.which(tool):
        pytest.skip(f"there is no {tool}")
    done = subprocess.run([tool, *command], cwd=HERE / folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [str(binary)]


def go():
    binary = BUILD / "interop" / "scenario-go"
    return compiled("go", "go", "build", "-o", str(binary), "./scenario", binary=binary)


def rust():
    target = BUILD / "interop" / "rust"
    return compiled("cargo", "rust", "build", "--quiet", "--locked", "--target-dir", str(target), binary=target / "debug" / "scenario")


CLIENTS = {
    "python": lambda: [sys.executable, HERE / "scenario.py"],
    "python-old": lambda: ["env", f"PYTHONPATH={BUILD / 'venv' / 'svix-old'}", sys.executable, HERE / "scenario.py"],
    "javascript": lambda: ["node", HERE / "scenario.mjs"],
    "go": go,
    "rust": rust,
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("client", CLIENTS)
def test_library_knows_every_operation_and_likes_every_answer(server, receiver, client):
    command = CLIENTS[client]()
    _, key = server.new_tenant(client)
    recorder = Recorder(server.url)
    try:
        done = subprocess.run([*command, recorder.url, key, receiver.url("/hook")], capture_output=True, text=True, timeout=120 * SLOWNESS,
                              env={**os.environ, "NO_PROXY": "*"})
    finally:
        recorder.close()
    assert done.returncode == 0, done.stdout + done.stderr
    assert not recorder.faults
    assert not OPERATIONS - recorder.succeeded
