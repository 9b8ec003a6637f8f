"""A private PostgreSQL cluster on a unix socket, and how much processor time it takes."""

import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import time

from comparison import processes

PROGRAMS = pathlib.Path("/usr/lib/postgresql/15/bin")
SUPERUSER = "postgres"
START_SECONDS = 60
# How long a backend takes to go after its client has; its time counts when it is gone.
SETTLE_SECONDS = 0.01


class Cluster:
    """PostgreSQL with its defaults but for `fsync`, gone with `close`. As root it runs as `postgres`.
    Besides its socket it listens on loopback, for what knows TCP only; there it wants the password."""

    def __init__(self, directory: pathlib.Path, durable: bool):
        self.password = secrets.token_hex(16)
        self.port = _free_port()
        self._durable = durable
        self._count = 0
        self._directory = directory
        self._socket_directory = directory / "run"
        self._data = directory / "data"
        self._log = directory / "postgres.log"
        directory.mkdir(mode=0o755)
        for owned in (self._socket_directory, self._data):
            owned.mkdir(mode=0o700)
            if os.geteuid() == 0:
                shutil.chown(owned, "postgres", "postgres")
        self._initialize()
        self._server = self._start()

    def close(self) -> None:
        self._server.send_signal(signal.SIGINT)
        self._server.wait()

    def create_database(self) -> str:
        """Makes an empty database and returns its name. What this costs is not left to others."""
        self._count += 1
        name = f"bench_{self._count}"
        self.query("postgres", f"CREATE DATABASE {name}")
        if self._durable:
            self.query("postgres", "CHECKPOINT")
        return name

    def query(self, database: str, sql: str) -> str:
        """Returns what psql prints, unaligned and without a header."""
        command = self.psql(database) + ["--tuples-only", "--no-align", "--command", sql]
        return processes.output_of(command).strip()

    def psql(self, database: str) -> list[str]:
        """The server package's own binary: /usr/bin/psql is a script in Perl around it."""
        return [str(PROGRAMS / "psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1",
                f"--dbname={self.url(database)}"]

    def url(self, database: str) -> str:
        return f"postgresql://{SUPERUSER}@/{database}?host={self._socket_directory}&port={self.port}"

    @property
    def socket_directory(self) -> pathlib.Path:
        return self._socket_directory

    def version(self) -> str:
        return self.query("postgres", "SHOW server_version")

    def cpu_seconds(self) -> float:
        """What all its processes have used so far."""
        time.sleep(SETTLE_SECONDS)
        total = processes.cpu_seconds_of_waited_children(self._server.pid)
        for pid in processes.tree_of(self._server.pid):
            total += processes.cpu_seconds(pid)
        return total

    def _initialize(self) -> None:
        password_file = self._socket_directory / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self.password)
        if os.geteuid() == 0:
            shutil.chown(password_file, "postgres", "postgres")
        processes.output_of(self._as_user([
            str(PROGRAMS / "initdb"), f"--pgdata={self._data}", f"--username={SUPERUSER}",
            # Who can enter the socket's directory may connect.
            "--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={password_file}",
            "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]))

    def _start(self) -> subprocess.Popen:
        settings = {"listen_addresses": "127.0.0.1", "port": self.port,
                    "unix_socket_directories": self._socket_directory,
                    "fsync": "on" if self._durable else "off"}
        command = [str(PROGRAMS / "postgres"), "-D", str(self._data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with open(self._log, "wb") as log:
            # It ends with us, however that happens, and not by the Ctrl-C that is meant for us. In our
            # session, all the same: Linux shares the processor out among sessions.
            server = subprocess.Popen(
                self._as_user(command), stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, cwd=self._directory, process_group=0)
        deadline = time.monotonic() + START_SECONDS
        ready = [str(PROGRAMS / "pg_isready"), "--quiet", f"--host={self._socket_directory}",
                 f"--port={self.port}"]
        while subprocess.run(ready, check=False).returncode != 0:
            if server.poll() is not None or time.monotonic() > deadline:
                raise processes.Failure(f"PostgreSQL does not start:\n{self._log.read_text()}")
            time.sleep(0.02)
        return server

    @staticmethod
    def _as_user(command: list[str]) -> list[str]:
        # PostgreSQL refuses to run as root.
        user = ["--reuid=postgres", "--regid=postgres", "--init-groups"]
        return ["setpriv", "--pdeathsig=INT", *(user if os.geteuid() == 0 else []), "--", *command]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
