#!/usr/bin/env python3
"""Completes command lines of migctl in real shells, with answers of a real migd.

    MIGD=... MIGCTL=... completion_test.py [TEST...]

bash and zsh are driven as a person drives them: on a terminal, with the tabulator key.
"""

import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

PATIENCE = 120  # Seconds; only a test that fails waits this long.

FILES = {
    "0f3a0f3a0f3a": ("create users", "", ""),
    "55de55de55de": ("create orders: rows and 'quotes'", "0f3a0f3a0f3a", ""),
    "4b114b114b11": ("billing begins", "0f3a0f3a0f3a", "billing"),
}


def eventually(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("did not come true")
        time.sleep(0.02)


def write_migrations(directory):
    directory.mkdir()
    for revision, (message, revises, label) in FILES.items():
        (directory / f"{revision}_file.sql").write_text(
            f"-- {message}\n--\n-- Revision ID: {revision}\n-- Revises: {revises}\n"
            f"-- Branch Labels: {label}\n-- Depends On:\n-- Create Date: 2026-01-01 00:00:00\n\n"
            "-- migrate:up\n\nSELECT 1;\n\n-- migrate:down\n\nSELECT 1;\n")


class Terminal:
    """An interactive shell on a terminal of its own."""

    def __init__(self, arguments, environment):
        self.text = ""
        pid, self.file = pty.fork()
        if pid == 0:
            os.execvpe(arguments[0], arguments, environment)
        self.pid = pid

    def type(self, keys):
        os.write(self.file, keys.encode())

    def wait_for(self, pattern, start=0):
        """Reads until the screen's text from `start` on matches; returns the match."""
        deadline = time.monotonic() + PATIENCE
        while True:
            match = re.compile(pattern).search(self.text, start)
            if match:
                return match
            if time.monotonic() > deadline:
                raise AssertionError(f"no {pattern!r} in {self.text!r}")
            if select.select([self.file], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self.file, 65536).decode(errors="replace")
                except OSError:
                    raise AssertionError(f"the shell ended: {self.text!r}") from None

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.file)


class CompletionTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="migctl-completion."))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        write_migrations(cls.folder / "migrations")
        (cls.folder / "bin").mkdir()
        (cls.folder / "bin/migctl").symlink_to(os.environ["MIGCTL"])
        (cls.folder / "home").mkdir()
        (cls.folder / "some dir").mkdir()
        cls.environment = {
            "PATH": f"{cls.folder}/bin:/usr/bin:/bin",
            "HOME": f"{cls.folder}/home",
            "LC_ALL": "C.UTF-8",
            "TERM": "dumb",
            "MIGCTL_SERVER": cls.start_migd(
                "offline", ["--offline", "--migrations", f"{cls.folder}/migrations"]),
        }
        for variable in ("ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
            if variable in os.environ:
                cls.environment[variable] = os.environ[variable]

    @classmethod
    def start_migd(cls, name, arguments):
        address = f"unix:{cls.folder}/{name}.sock"
        server = subprocess.Popen([os.environ["MIGD"], "--listen", address, *arguments],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cls.addClassCleanup(server.wait)
        cls.addClassCleanup(server.terminate)

        def answers():
            if server.poll() is not None:
                raise AssertionError(f"migd ended with {server.returncode}")
            health = [os.environ["MIGCTL"], "--server", address, "health",
                      "migration.v1.MigrationService"]
            return subprocess.run(health, capture_output=True).returncode == 0

        eventually(answers)
        return address

    def complete(self, *words, **variables):
        """What the scripts are told: the kind of file names, and the words with descriptions."""
        answer = subprocess.run(["migctl", "__complete", "--", *words], capture_output=True,
                                text=True, env={**self.environment, **variables}, timeout=PATIENCE)
        self.assertEqual((answer.returncode, answer.stderr), (0, ""))
        files, *lines = answer.stdout.splitlines()
        return files, [tuple(line.split("\t")) for line in lines]

    def words(self, *words, **variables):
        return [word for word, _ in self.complete(*words, **variables)[1]]

    # --- What any shell is told ---

    def test_commands_are_those_of_the_help(self):
        help_text = subprocess.run(["migctl", "--help"], capture_output=True, text=True,
                                   env=self.environment).stdout
        listed = re.findall(r"^  ([a-z]+)  ", help_text, re.MULTILINE)
        self.assertIn("upgrade", listed)
        self.assertEqual(sorted(self.words("")), sorted(listed))

    def test_options_of_every_command_are_those_of_its_help(self):
        for command in self.words(""):
            help_text = subprocess.run(["migctl", command, "--help"], capture_output=True,
                                       text=True, env=self.environment).stdout
            listed = set(re.findall(r"^  (?:-\w,)?(--[a-z-]+)", help_text, re.MULTILINE))
            self.assertIn("--help", listed)
            offered = self.words(command, "--")
            self.assertEqual(listed - set(offered), set(), command)
            self.assertIn("--server", offered, command)

    def test_revisions_come_with_their_messages_and_labels(self):
        _, answer = self.complete("upgrade", "")
        self.assertEqual([word for word, _ in answer[:4]], ["head", "heads", "base", "current"])
        self.assertIn(("0f3a0f3a0f3a", "create users"), answer)
        self.assertIn(("55de55de55de", "create orders: rows and 'quotes'"), answer)
        self.assertIn("billing", self.words("upgrade", ""))
        self.assertEqual(self.words("upgrade", "billing@"), ["billing@head"])
        self.assertEqual(self.words("show", "55"), ["55de55de55de"])

    def test_the_last_part_of_a_range_or_a_list_is_completed(self):
        self.assertEqual(self.words("history", "-r", "base:55"), ["base:55de55de55de"])
        self.assertEqual(self.words("history", "--range=base:55"), ["--range=base:55de55de55de"])
        self.assertEqual(self.words("plan", "upgrade", "head", "--from", "base,55"),
                         ["base,55de55de55de"])
        self.assertEqual(self.words("operations", "list", "--state", "running,f"),
                         ["running,failed"])

    def test_values_that_are_known_beforehand(self):
        self.assertEqual(self.words("--output", ""), ["text", "json"])
        self.assertEqual(self.words("current", "--output=j"), ["--output=json"])
        self.assertEqual(self.words("upgrade", "--backup-verify", ""), ["list", "restore"])
        self.assertEqual(self.words("completion", ""), ["bash", "zsh", "fish"])

    def test_a_positional_that_is_there_is_not_offered_again(self):
        self.assertEqual(self.words("upgrade", "head", ""), [])
        self.assertIn("55de55de55de", self.words("merge", "4b11", ""))

    def test_an_option_is_offered_once_unless_it_is_repeatable(self):
        self.assertNotIn("--detach", self.words("upgrade", "--detach", "--"))
        self.assertIn("--ignore", self.words("verify", "--ignore", "x", "--"))

    def test_files_and_directories_are_left_to_the_shell(self):
        self.assertEqual(self.complete("revision", "--migrations", "")[0], "directories")
        self.assertEqual(self.complete("import", "alembic", ".", "--skip", "")[0], "files")
        self.assertEqual(self.complete("upgrade", "")[0], "words")

    def test_databases_are_those_of_the_server_though_none_answers(self):
        config = self.folder / "two.yaml"
        config.write_text("databases:\n" + "".join(
            f"  {name}: {{url: 'host={self.folder} user=nobody dbname={name}',"
            f" migrations: {self.folder}/migrations}}\n" for name in ("core", "orders")))
        address = self.start_migd("two", ["--config", str(config)])
        self.assertEqual(self.words("--server", address, "--database", ""), ["core", "orders"])
        self.assertIn("55de55de55de",
                      self.words("--server", address, "--database", "orders", "upgrade", ""))

    def test_a_server_that_does_not_answer_is_not_waited_for(self):
        # It takes connections, and never says anything: what is there without it comes all the same,
        # however patient the user's other calls are.
        with socket.socket(socket.AF_UNIX) as silent:
            silent.bind(f"{self.folder}/silent.sock")
            silent.listen()
            words = self.words("upgrade", "", MIGCTL_SERVER=f"unix:{self.folder}/silent.sock",
                               MIGCTL_TIMEOUT="1h")
        self.assertEqual(words, ["head", "heads", "base", "current"])
        self.assertEqual(self.words("upgrade", "", MIGCTL_SERVER=f"unix:{self.folder}/none.sock"),
                         ["head", "heads", "base", "current"])

    def test_what_the_environment_says_wrongly_disturbs_nothing(self):
        self.assertIn("head", self.words("upgrade", "", MIGCTL_TIMEOUT="soon"))
        self.assertIn("55de55de55de", self.words("upgrade", "", MIGCTL_OUTPUT="json"))

    def test_the_server_of_the_command_line_is_asked(self):
        address = self.environment["MIGCTL_SERVER"]
        elsewhere = f"unix:{self.folder}/none.sock"
        for words in (["--server", address, "show", "55"], ["show", f"--server={address}", "55"]):
            self.assertEqual(self.words(*words, MIGCTL_SERVER=elsewhere), ["55de55de55de"])

    def test_the_scripts_are_printed_whatever_the_output_is(self):
        for shell in ("bash", "zsh", "fish"):
            script = subprocess.run(["migctl", "completion", shell], capture_output=True, text=True,
                                    env={**self.environment, "MIGCTL_OUTPUT": "json"}).stdout
            source = pathlib.Path(os.environ["PROJECT_SOURCE"], "client/completion",
                                  f"migctl.{shell}")
            self.assertEqual(script, source.read_text())

    # --- The shells ---

    def interactive(self, arguments, setup, report):
        """A shell that has loaded the script; Ctrl-X r writes the edited line to a file."""
        terminal = Terminal(arguments, self.environment)
        self.addCleanup(terminal.close)
        terminal.type(f"cd '{self.folder}'; {setup}; {report}; PS1=; echo rea''dy\n")
        terminal.wait_for("ready\r?\n")
        return terminal

    def line_after(self, terminal, keys):
        """The line that is there once `keys` are typed. What came before is erased first."""
        result = self.folder / "line"
        result.unlink(missing_ok=True)
        terminal.type("\x15" + keys + "\x18r")
        eventually(lambda: result.exists() and result.read_text().endswith("\n"))
        return result.read_text().removesuffix("\n")

    def bash(self):
        return self.interactive(
            ["bash", "--norc", "--noprofile", "-i"], "source <(migctl completion bash)",
            """bind -x '"\\C-xr": printf "%s\\n" "$READLINE_LINE" > line'""")

    def test_bash_completes_words(self):
        bash = self.bash()
        for typed, expected in {
                "migctl upgr\t": "migctl upgrade ",
                "migctl upgrade 55\t": "migctl upgrade 55de55de55de ",
                "migctl upgrade --lock-r\t": "migctl upgrade --lock-retries ",
                "migctl --output j\t": "migctl --output json ",
                "migctl --output=j\t": "migctl --output=json ",
                "migctl history -r base:55\t": "migctl history -r base:55de55de55de ",
                "migctl upgrade billing@\t": "migctl upgrade billing@head ",
                "migctl --server=unix:none.sock upgrade hea\t": "migctl --server=unix:none.sock upgrade head",
                "echo; migctl operations wa\t": "echo; migctl operations watch ",
                "MIGCTL_COLOR=never migctl curr\t": "MIGCTL_COLOR=never migctl current ",
                "./bin/migctl curr\t": "./bin/migctl current ",
                "migctl revision -m 'a b' --sp\t": "migctl revision -m 'a b' --splice ",
                "migctl import goose some\t": "migctl import goose some\\ dir/",
                "migctl import goose . --migrations=some\t":
                    "migctl import goose . --migrations=some\\ dir/",
        }.items():
            self.assertEqual(self.line_after(bash, typed), expected)

    def test_bash_completes_where_the_cursor_is(self):
        left = "\x02" * len(" head")
        self.assertEqual(self.line_after(self.bash(), f"migctl upgr head{left}\t"),
                         "migctl upgrade head")

    def test_bash_lists_revisions_with_their_messages(self):
        bash = self.bash()
        bash.type("migctl upgrade \t\t")
        bash.wait_for(r"0f3a0f3a0f3a  \(create users\)")

    def zsh(self):
        return self.interactive(
            ["zsh", "-f", "-i"],
            "fpath=($PWD/zsh $fpath); autoload -Uz compinit; compinit -u -d $PWD/zcompdump",
            "report() { print -r -- \"$BUFFER\" > line }; zle -N report; bindkey '^Xr' report")

    def install_for_zsh(self):
        (self.folder / "zsh").mkdir(exist_ok=True)
        script = subprocess.run(["migctl", "completion", "zsh"], capture_output=True, text=True,
                                env=self.environment, check=True).stdout
        (self.folder / "zsh/_migctl").write_text(script)

    def test_zsh_completes_words(self):
        self.install_for_zsh()
        zsh = self.zsh()
        for typed, expected in {
                "migctl upgr\t": "migctl upgrade ",
                "migctl upgrade 55\t": "migctl upgrade 55de55de55de ",
                "migctl upgrade --lock-r\t": "migctl upgrade --lock-retries ",
                "migctl --output j\t": "migctl --output json ",
                "migctl --output=j\t": "migctl --output=json ",
                "migctl history -r base:55\t": "migctl history -r base:55de55de55de ",
                "migctl upgrade billing@\t": "migctl upgrade billing@head ",
                "echo; migctl operations wa\t": "echo; migctl operations watch ",
                "./bin/migctl curr\t": "./bin/migctl current ",
                "migctl import goose some\t": "migctl import goose some\\ dir/",
                "migctl import goose . --migrations=some\t":
                    "migctl import goose . --migrations=some\\ dir/",
        }.items():
            self.assertEqual(self.line_after(zsh, typed), expected)

    def test_zsh_lists_revisions_with_their_messages(self):
        self.install_for_zsh()
        zsh = self.zsh()
        zsh.type("migctl upgrade \t")
        zsh.wait_for(r"0f3a0f3a0f3a +-- create users")
        zsh.wait_for(r"55de55de55de +-- create orders: rows and 'quotes'")

    def test_zsh_loads_the_script_by_source_too(self):
        terminal = self.interactive(
            ["zsh", "-f", "-i"],
            "autoload -Uz compinit; compinit -u -D; source <(migctl completion zsh)",
            "report() { print -r -- \"$BUFFER\" > line }; zle -N report; bindkey '^Xr' report")
        self.assertEqual(self.line_after(terminal, "migctl upgrade 55\t"),
                         "migctl upgrade 55de55de55de ")

    def fish(self, line):
        answer = subprocess.run(
            ["fish", "--no-config", "-c",
             "migctl completion fish | source; complete -C $argv[1]", line],
            capture_output=True, text=True, env=self.environment, cwd=self.folder, timeout=PATIENCE)
        self.assertEqual((answer.returncode, answer.stderr), (0, ""))
        return answer.stdout.splitlines()

    def test_fish_completes_words(self):
        for line, expected in {
                "migctl upgr": ["upgrade\tBring the database up to a revision"],
                "migctl upgrade 55": ["55de55de55de\tcreate orders: rows and 'quotes'"],
                "migctl --output ": ["text", "json"],
                "migctl --output=j": ["--output=json"],
                "migctl history -r base:55": ["base:55de55de55de\tcreate orders: rows and 'quotes'"],
                "migctl upgrade billing@": ["billing@head\thead of branch billing"],
                "./bin/migctl curr": ["current\tShow the revisions that the database is at"],
                "migctl import goose some": ["some dir/"],
                "migctl import goose . --migrations=some": ["--migrations=some dir/"],
        }.items():
            self.assertEqual(self.fish(line), expected, line)

    def test_fish_lists_revisions_in_their_order(self):
        words = [line.split("\t")[0] for line in self.fish("migctl upgrade ")]
        self.assertEqual(words[:4], ["head", "heads", "base", "current"])
        self.assertIn("0f3a0f3a0f3a", words)


if __name__ == "__main__":
    unittest.main()
