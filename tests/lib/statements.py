"""The named statements of server/sql, as the server has them."""
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def statements():
    """(file, name, text) of each, comments included."""
    for file in sorted((ROOT / "server/sql").glob("*.sql")):
        text = subprocess.check_output([ROOT / "server/sql/expand", file], text=True)
        parts = re.split(r"^-- name: (\w+)\n", text, flags=re.M)
        for name, statement in zip(parts[1::2], parts[2::2]):
            yield file.relative_to(ROOT), name, statement
