"""The unit tests of the dashboard's logic, which vitest runs."""
import subprocess
from pathlib import Path

WEB = Path(__file__).parents[2] / "web"


def test_vitest():
    done = subprocess.run(["./node", "node_modules/vitest/vitest.mjs", "run"], cwd=WEB, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
