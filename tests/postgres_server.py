"""A PostgreSQL server of a test's own, where the machine has the programs for one."""

import os
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

PASSWORD = "se@cret/1 é"  # noqa: S105  # of a server that lives for a test


@dataclass
class Server:
    """A server in a folder."""

    folder: Path
    port: int

    def url(self, database, scheme="postgresql", password=PASSWORD):
        """Of a database."""
        return f"{scheme}://me:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def create(self, database):
        """Makes an empty database."""
        import psycopg

        place = {"host": "127.0.0.1", "port": self.port, "user": "me", "password": PASSWORD, "dbname": "postgres"}
        with psycopg.connect(**place, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}"')

    def start(self):
        """Starts it, and waits until it answers."""
        options = f"-p {self.port} -k {self.folder} -c fsync=off"
        self.run("pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", "-w", "-o", options, "start")

    def stop(self):
        """Ends it as a crash does."""
        self.run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "-w", "stop")

    def run(self, *command):
        """Runs a program of PostgreSQL's, none of which runs as root."""
        as_nobody = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"] if os.getuid() == 0 else []
        subprocess.run([*as_nobody, *map(str, command)], check=True, cwd=self.folder, stdout=subprocess.DEVNULL)


def is_there():
    """Whether a server can be started here."""
    return all(shutil.which(program) for program in ("initdb", "pg_ctl", "setpriv"))


def started(folder):
    """A new server in a folder, which anybody can enter."""
    folder.mkdir()
    (folder / "password").write_text(PASSWORD)
    if os.getuid() == 0:
        shutil.chown(folder, "nobody", "nogroup")
        (folder / "password").chmod(0o644)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = Server(folder, free.getsockname()[1])
    server.run(
        *("initdb", "-D", folder / "data", "-U", "me", "--pwfile", folder / "password", "-A", "scram-sha-256"),
        *("-E", "UTF8", "--locale", "C", "--no-sync"),
    )
    server.start()
    return server
