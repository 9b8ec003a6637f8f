"""Runs Alembic on real databases, for the test that compares what it leaves there with migd.

    alembic_replay.py SEED DIRECTORY COMMANDS

makes a random graph, and an Alembic environment of it in DIRECTORY. The revision X makes the table
t_X or drops it, and notes `+X` or `-X` in the table `steps`. Prints the graph, in lines `file` as
alembic_oracle.py does, then `done`. Then it does what it reads from the FIFO COMMANDS, a line each,
and says `done` after each:

    draw ROWS                   chooses an operation at random, prints `ask ACTION TARGET`, and what
                                Alembic would do at these rows: lines `step` and `end`
    run DATABASE ACTION TARGET  does it to the database, and prints `end`
"""

import os
import random
import sys
import warnings

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))

from alembic_graphs import Graph, print_steps, printed_end

from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory

ENVIRONMENT = """
from alembic import context
from sqlalchemy import create_engine

with create_engine(context.config.attributes["database"]).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""

REVISION = """
from alembic import op

revision = {id!r}
down_revision = {revises!r}
depends_on = {depends_on!r}
branch_labels = {labels!r}


def upgrade():
    op.execute("CREATE TABLE IF NOT EXISTS t_{id} ()")
    op.execute("INSERT INTO steps (step) VALUES ('+{id}')")


def downgrade():
    op.execute("DROP TABLE IF EXISTS t_{id}")
    op.execute("INSERT INTO steps (step) VALUES ('-{id}')")
"""

ACTIONS = ["upgrade"] * 3 + ["downgrade"] * 2 + ["stamp"]


def sort_files():
    """Since 1.10 Alembic takes them in the order of their names, as migd does."""
    unsorted = Script._list_py_dir
    Script._list_py_dir = lambda scripts, path: sorted(unsorted(scripts, path))


def write(directory, name, text):
    with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
        file.write(text)


def write_environment(graph, directory):
    os.makedirs(os.path.join(directory, "versions"))
    write(directory, "env.py", ENVIRONMENT)
    for id_, (revises, depends_on) in graph.files.items():
        text = REVISION.format(
            id=id_,
            revises=tuple(revises) or None,
            depends_on=tuple(depends_on) or None,
            labels=graph.labels.get(id_),
        )
        write(directory, "versions/%s_test.py" % id_, text)


def operations(graph, rng):
    """Without end. Half of the graphs begin with everything applied."""
    if rng.random() < 0.5:
        yield "upgrade", "heads"
    while True:
        action = rng.choice(ACTIONS)
        yield action, graph.random_target(rng, action)


def ask(config, rows, action, target):
    print("ask", action, target)
    print_steps(ScriptDirectory.from_config(config), action, rows, target)


def run(config, database, action, target):
    config.attributes["database"] = database
    with printed_end():
        if action == "stamp":
            command.stamp(config, target.split(","))
        else:
            getattr(command, action)(config, target)


def main():
    warnings.simplefilter("ignore")
    sort_files()
    seed, directory, commands = sys.argv[1:]
    rng = random.Random(int(seed))
    graph = Graph(rng)
    write_environment(graph, directory)
    config = Config()
    config.set_main_option("script_location", directory)
    drawn = operations(graph, rng)
    graph.print()
    print("done", flush=True)
    for line in open(commands, encoding="utf-8"):
        word, *arguments = line.split()
        if word == "draw":
            rows = [] if arguments == ["-"] else arguments[0].split(",")
            ask(config, rows, *next(drawn))
        else:
            run(config, *arguments)
        print("done", flush=True)


if __name__ == "__main__":
    main()
