"""Random revision graphs, and what Debian's Alembic 1.8.1 would do with them.

For the tests that compare with Alembic. Nothing but Alembic's own code answers: its revision map,
the functions behind its commands, and the class that keeps the version table, whose SQL is replaced
by a record of what it would write.
"""

import contextlib
import sys
import types

try:
    from alembic.runtime.migration import HeadMaintainer
    from alembic.script import ScriptDirectory
    from alembic.script.revision import Revision, RevisionError, RevisionMap
    from alembic.util import CommandError
except ImportError as error:
    sys.exit("this needs Alembic 1.8 (Debian: python3-alembic): %s" % error)


class File(Revision):
    """A revision with all that a step asks of a script."""

    module = types.SimpleNamespace(upgrade=None, downgrade=None)
    doc = ""


class RecordingMaintainer(HeadMaintainer):
    """The rows of the version table, and the writes of the step that is under way."""

    def __init__(self, rows):
        super().__init__(None, rows)
        self.writes = []

    def _insert_version(self, version):
        assert version not in self.heads
        self.heads.add(version)
        self.writes.append("insert")

    def _delete_version(self, version):
        self.heads.remove(version)
        self.writes.append("delete")

    def _update_version(self, from_, to_):
        assert to_ not in self.heads
        self.heads.remove(from_)
        self.heads.add(to_)
        self.writes.append("update")


class Graph:
    """A random graph, loaded by Alembic."""

    def __init__(self, rng):
        count = rng.randint(1, 12 if rng.random() < 0.9 else 40)
        # Random ids make the order of the files independent of the order of the revisions.
        self.ids = ["%04x" % i for i in rng.sample(range(0x10000), count)]
        self.labels = {}
        self.files = {}
        self.below = {}
        for position, id_ in enumerate(self.ids):
            older = self.ids[:position]
            revises = self._revises(rng, older)
            depends_on = []
            if older and rng.random() < 0.25:
                depends_on = rng.sample(older, min(len(older), rng.randint(1, 2)))
            self.below[id_] = {id_}.union(*(self.below[i] for i in revises + depends_on))
            by_label = [self._label_or_id(rng, i) for i in depends_on]
            if rng.random() < 0.25:
                self.labels[id_] = "label" + id_
            self.files[id_] = (revises, by_label)
        order = sorted(self.files)
        self.map = RevisionMap(lambda: [self._file(id_) for id_ in order])
        self._order_kept_dependencies(order)
        self.scripts = ScriptDirectory.__new__(ScriptDirectory)
        self.scripts.revision_map = self.map

    def _revises(self, rng, older):
        """One revision mostly; for a merge, mostly such as do not contain each other."""
        if not older or rng.random() < 0.15:
            return []
        wanted = rng.sample(older, min(len(older), rng.choice([1, 1, 1, 1, 2, 2, 3])))
        if rng.random() < 0.05:
            return wanted
        return [
            id_
            for id_ in wanted
            if not any(id_ in self.below[other] for other in wanted if other != id_)
        ]

    def _label_or_id(self, rng, id_):
        return self.labels[id_] if id_ in self.labels and rng.random() < 0.5 else id_

    def _file(self, id_):
        revises, depends_on = self.files[id_]
        label = self.labels.get(id_)
        return File(id_, tuple(revises) or None, tuple(depends_on) or None, label)

    def _order_kept_dependencies(self, order):
        """Alembic keeps them in the arbitrary order of a set; they are compared in file order."""
        for id_ in order:
            revision = self.map.get_revision(id_)
            revision._normalized_resolved_dependencies = tuple(
                sorted(revision._normalized_resolved_dependencies)
            )

    def random_rows(self, rng):
        """The rows of a database that has some revisions and all that they need."""
        wanted = rng.sample(self.ids, rng.randint(0, min(len(self.ids), 3)))
        return sorted(
            id_
            for id_ in set(wanted)
            if not any(id_ in self.below[other] for other in wanted if other != id_)
        )

    def random_branch(self, rng):
        names = list(self.labels.values())
        return rng.choice(names) if names and rng.random() < 0.8 else rng.choice(self.ids)

    def random_target(self, rng, action):
        id_ = rng.choice(self.ids)
        steps = rng.choice([1, 1, 2, 3])
        sign = rng.choice("+-")
        absolute = [
            lambda: id_,
            lambda: id_[:3],
            lambda: "head",
            lambda: "heads",
            lambda: "base",
            lambda: self.random_branch(rng),
            lambda: "%s@head" % self.random_branch(rng),
            lambda: "%s@heads" % self.random_branch(rng),
            lambda: "%s@base" % self.random_branch(rng),
            lambda: "%s@%s" % (self.random_branch(rng), id_),
        ]
        relative = [
            lambda: "%s%d" % (sign, steps),
            lambda: "%s@%s%d" % (self.random_branch(rng), sign, steps),
            lambda: "%s%s%d" % (id_, sign, steps),
            lambda: "%s@%s%s%d" % (self.random_branch(rng), id_, sign, steps),
        ]
        if action == "stamp":
            return ",".join(rng.choice(absolute)() for _ in range(rng.choice([1, 1, 1, 2])))
        return rng.choice(absolute if rng.random() < 0.6 else relative)()

    def random_range(self, rng):
        end = lambda: rng.choice(["", "current", self.random_target(rng, "history")])
        return "%s:%s" % (end(), end())

    def print(self):
        for id_ in sorted(self.files):
            revises, depends_on = self.files[id_]
            label = [self.labels[id_]] if id_ in self.labels else []
            print("file", id_, as_list(revises), as_list(depends_on), as_list(label))


def as_list(names):
    return ",".join(names) or "-"


def print_steps(scripts, action, rows, target):
    """The lines `step` and `end`, as alembic_oracle.py describes them."""
    table = RecordingMaintainer(rows)
    with printed_end():
        for step in _plan(scripts, action, rows, target):
            table.writes = []
            table.update_to_step(step)
            print("step", _revision_of(step), as_list(sorted(table.heads)), as_list(table.writes))


@contextlib.contextmanager
def printed_end():
    """Prints how it ended: the line `end`."""
    try:
        yield
    except (RevisionError, CommandError) as error:
        print("end refused", str(error).replace("\n", " "))
    except (AssertionError, AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        print("end crashed %s" % type(error).__name__)
    else:
        print("end ok")


def _plan(scripts, action, rows, target):
    if action == "upgrade":
        return scripts._upgrade_revs(target, tuple(rows))
    if action == "downgrade":
        return scripts._downgrade_revs(target, tuple(rows))
    return scripts._stamp_revs(tuple(target.split(",")), tuple(rows))


def _revision_of(step):
    revision = getattr(step, "revision", None)
    return revision.revision if revision else "-"
