"""Asks the real Alembic to write revisions, in one process.

usage: alembic_authoring.py DIRECTORY < CASES

DIRECTORY gets one Alembic environment per case. CASES is a JSON list of
{"files": [[id, [down revisions], [labels], [depends on]]], "command": "revision" | "merge",
"arguments": {keyword arguments of alembic.command.revision or merge}}. Prints a JSON list of
{"down_revisions", "branch_labels", "depends_on", "slug"} of what was written, or of {"error"}.
"""

import io
import json
import os
import sys

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError, to_list

TEMPLATE = """\"\"\"${message}\"\"\"
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}
"""


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def names(value):
    return list(to_list(value, default=()))


def answer(directory, case):
    write(directory + "/script.py.mako", TEMPLATE)
    write(directory + "/env.py", "")
    os.makedirs(directory + "/versions")
    for revision, down, labels, depends_on in case["files"]:
        write(
            f"{directory}/versions/{revision}_x.py",
            f"revision = {revision!r}\n"
            f"down_revision = {tuple(down) or None!r}\n"
            f"branch_labels = {tuple(labels) or None!r}\n"
            f"depends_on = {tuple(depends_on) or None!r}\n",
        )
    config = Config(stdout=io.StringIO(), output_buffer=io.StringIO())
    config.set_main_option("script_location", directory)
    try:
        script = getattr(command, case["command"])(config, **case["arguments"])
    # Alembic's own mistakes are refusals, too.
    except (CommandError, RevisionError, AssertionError, KeyError) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    # As it is read from the file.
    script = ScriptDirectory.from_config(config).get_revision(script.revision)
    return {
        "down_revisions": names(script.down_revision),
        "branch_labels": names(script.module.branch_labels),
        "depends_on": names(script.module.depends_on),
        "slug": os.path.basename(script.path)[len(script.revision) : -len(".py")],
    }


def main():
    cases = json.load(sys.stdin)
    # Alembic prints what it generates.
    printed, sys.stdout = sys.stdout, io.StringIO()
    answers = [answer(f"{sys.argv[1]}/{i}", case) for i, case in enumerate(cases)]
    json.dump(answers, printed)


main()
