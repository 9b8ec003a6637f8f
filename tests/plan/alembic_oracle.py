"""Asks Alembic what it would do, for the test that compares the planner with it.

    alembic_oracle.py SEED COUNT

makes COUNT random graphs and writes, one line each, with fields separated by blanks, lists by
commas and `-` for an empty list:

    graph NUMBER
    file ID REVISES DEPENDS_ON LABELS           in the order of the files
    ask ACTION ROWS TARGET                      what follows is Alembic's answer
    step REVISION ROWS_AFTER WRITES             WRITES such as insert,update
    list REVISIONS                              of a history
    end ok | refused | crashed MESSAGE
"""

import os
import random
import sys
import warnings

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))

from alembic_graphs import Graph, as_list, print_steps, printed_end


def print_history(graph, rows, range_):
    """As the command does it."""
    lower, upper = (tuple(rows) if end == "current" else end for end in range_.split(":"))
    with printed_end():
        history = graph.scripts.walk_revisions(base=lower or "base", head=upper or "heads")
        print("list", as_list([file.revision for file in history]))


def main():
    warnings.simplefilter("ignore")
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    rng = random.Random(seed)
    for number in range(count):
        graph = Graph(rng)
        print("graph", number)
        graph.print()
        for action in ("upgrade", "downgrade", "stamp", "history"):
            for _ in range(10):
                rows = graph.random_rows(rng)
                if action == "history":
                    target = graph.random_range(rng)
                    print("ask", action, as_list(rows), target)
                    print_history(graph, rows, target)
                else:
                    target = graph.random_target(rng, action)
                    print("ask", action, as_list(rows), target)
                    print_steps(graph.scripts, action, rows, target)


if __name__ == "__main__":
    main()
