"""Runs the containers of an overlay as local processes, with their commands, environment, mounted files and probes.

Secrets and settings lie in folders, as Kubernetes mounts them. A mounted path becomes a folder, and a host of the
database becomes a port of this machine. Users, limits and networks are not applied.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import trustme

from db.embedded.binaries import as_user, server_user
from deploy.kubernetes.create_secrets import main as create_secrets
from tests.support.compose.files import ROOT, read_stages
from tests.support.kubernetes.manifests import Pod, one, overlay, pods
from tests.support.processes import free_port, wait_until

START_SECONDS = 240.0  # upper bound of a wait, for a busy machine
PRIMARY, REPLICAS = "windowshop-db-rw:5432", "windowshop-db-ro:5432"
POOLER, POOLER_OF_REPLICAS = "windowshop-pooler-rw:5432", "windowshop-pooler-ro:5432"


class KubernetesSite:
    """The containers of one overlay. `programs` is the folder with PostgreSQL's programs and their environment."""

    def __init__(self, name: str, folder: Path, programs: tuple[Path, Mapping[str, str]]) -> None:
        self.folder = folder
        self.manifests = overlay(name)
        self.pods = {pod.labels["app.kubernetes.io/component"]: pod for pod in pods(self.manifests)}
        self.secrets = {each["metadata"]["name"]: dict(each["stringData"]) for each in create_secrets()["items"]}
        self._authority = trustme.CA()
        self.secrets["windowshop-db-ca"] = {"ca.crt": self._authority.cert_pem.bytes().decode()}
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._stages = read_stages()
        self._programs = programs
        linked = subprocess.run(["ldd", programs[0] / "postgres"], capture_output=True, text=True, check=False)
        self.has_tls = "libssl" in linked.stdout  # not every build of the embedded server has TLS
        self._postgres = free_port()
        self._ports: dict[int, int] = {}
        self._pooler = free_port()
        # No replica runs, so nothing listens at the ports of the replicas and of their pooler.
        self._hosts = {PRIMARY: f"localhost:{self._postgres}", POOLER: f"localhost:{self._pooler}"}
        self._hosts |= {host: f"localhost:{free_port()}" for host in (REPLICAS, POOLER_OF_REPLICAS)}

    def start_postgres(self) -> None:
        """Start a server with the parameters of the Cluster, and with TLS if the build has it. Addresses,
        shared_buffers and fsync differ from those of the operator."""
        spec = one(self.manifests, "Cluster", "windowshop-db")["spec"]
        initdb = spec["bootstrap"]["initdb"]
        folder = self.folder / "postgres"
        folder.mkdir()
        certificate = self._authority.issue_cert("localhost")
        certificate.cert_chain_pems[0].write_to_path(str(folder / "tls.crt"))
        certificate.private_key_pem.write_to_path(str(folder / "tls.key"))
        (folder / "password").write_text(self.secrets["windowshop-administrator"]["password"])
        (folder / "tls.key").chmod(0o600)
        for path in (folder, *folder.iterdir()):
            os.chown(path, server_user().pw_uid, server_user().pw_gid)
        programs, variables = self._programs
        # libpq looks for certificates in HOME, and uses no TLS if it may not read this folder.
        environment = {**os.environ, **variables, "HOME": str(folder)}
        options: dict[str, Any] = {"env": environment, "cwd": "/", **as_user(server_user())}
        data = folder / "data"
        locale = {
            "locale-provider": initdb["localeProvider"],
            "builtin-locale": initdb["builtinLocale"],
            "lc-collate": initdb["localeCollate"],
            "lc-ctype": initdb["localeCType"],
            "encoding": initdb["encoding"],
        }
        words = [f"--{key}={value}" for key, value in locale.items()]
        words += ["--username=postgres", f"--pwfile={folder / 'password'}", "--auth-host=scram-sha-256"]
        create = [programs / "initdb", f"--pgdata={data}", *words]
        subprocess.run(create, check=True, capture_output=True, timeout=START_SECONDS, **options)
        hba = data / "pg_hba.conf"
        hba.write_text("host all all all scram-sha-256\n")
        with_tls = (
            {}
            if not self.has_tls
            else {"ssl": "on", "ssl_cert_file": folder / "tls.crt", "ssl_key_file": folder / "tls.key"}
        )
        settings = {**spec["postgresql"]["parameters"], **with_tls, "port": self._postgres, "shared_buffers": "64MB"}
        settings |= {"listen_addresses": "localhost", "unix_socket_directories": "", "fsync": "off"}
        command = [programs / "postgres", "--single", "-D", data, "postgres"]
        create = f"CREATE DATABASE {initdb['database']}\n".encode()
        single = subprocess.run(command, input=create, check=True, capture_output=True, timeout=60, **options)
        assert b"ERROR" not in single.stderr, single.stderr.decode()
        words = [f"-c{key}={value}" for key, value in settings.items()]
        with (self.folder / "postgres.log").open("wb") as log:
            self.running["postgres"] = subprocess.Popen(
                [programs / "postgres", "-D", data, *words], stdout=log, stderr=log, **options
            )

    def start_pooler(self, program: str) -> None:
        """Start PgBouncer after the server, as the operator does: with the certificate of the server."""
        spec = one(self.manifests, "Pooler", POOLER.split(":")[0])["spec"]["pgbouncer"]
        folder = self.folder / "pooler"
        folder.mkdir()
        known = self.secrets["windowshop-logins"].items()
        (folder / "users").write_text("".join(f'"shop_{login}" "{password}"\n' for login, password in known))
        listen = {"listen_addr": "localhost", "listen_port": self._pooler, "unix_socket_dir": ""}
        logins = {"auth_type": "scram-sha-256", "auth_file": folder / "users"}
        tls = {f"client_tls_{kind}_file": self.folder / "postgres" / f"tls.{suffix}"
               for kind, suffix in (("cert", "crt"), ("key", "key"))}  # fmt: skip
        tls |= {"client_tls_sslmode": "require", "server_tls_sslmode": "require"}
        own = {"pool_mode": spec["poolMode"], "ignore_startup_parameters": "extra_float_digits,options"}
        settings = {**spec["parameters"], **listen, **logins, **tls, **own}
        lines = [f"{key} = {value}" for key, value in settings.items()]
        server = f"host=localhost port={self._postgres}"
        (folder / "ini").write_text("\n".join(["[databases]", f"* = {server}", "[pgbouncer]", *lines, ""]))
        os.chown(folder, server_user().pw_uid, server_user().pw_gid)
        with (self.folder / "pooler.log").open("wb") as log:
            self.running["pooler"] = subprocess.Popen(
                [program, str(folder / "ini")], cwd=folder, stdout=log, stderr=log, start_new_session=True,
                **as_user(server_user()),
            )  # fmt: skip

    def start(self, name: str) -> None:
        words, environment = self._process(name, 0)
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                words, env=environment, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )

    def execute(self, name: str, container: str, *command: str) -> str:
        """Run a command in the environment of a container, as `kubectl exec` does. Returns its output."""
        number = [each["name"] for each in self.pods[name].containers].index(container)
        _, environment = self._process(name, number)
        words = [str(self.folder / "bin" / command[0]), *command[1:]]
        done = subprocess.run(
            words, env=environment, cwd=self.folder, capture_output=True, text=True, timeout=START_SECONDS, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def address(self, name: str, port: str) -> str:
        return f"http://127.0.0.1:{self._ports[self.pods[name].ports[port]]}"

    def passes(self, name: str, probe: str) -> bool:
        """Return whether a probe of the first container passes."""
        assert self.running[name].poll() is None, f"{name} ended:\n{self.log(name)}"
        asked = self.pods[name].containers[0][probe]["httpGet"]
        try:
            return httpx.get(self.address(name, asked["port"]) + asked["path"], timeout=10).status_code == 200
        except httpx.TransportError:
            return False

    def wait_for(self, name: str, probe: str) -> None:
        wait_until(lambda: self.passes(name, probe), START_SECONDS, f"the {probe} of {name}")

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def stop(self, name: str) -> tuple[int, float]:
        """Stop a process. Returns its exit code, and the seconds that it needed."""
        process, before = self.running.pop(name), time.monotonic()
        process.send_signal(signal.SIGINT if name == "postgres" else signal.SIGTERM)
        try:
            return process.wait(60), time.monotonic() - before
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            if name != "postgres":
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # children end with the container

    def _process(self, name: str, number: int) -> tuple[list[str], dict[str, str]]:
        """Return the command and the environment of a container."""
        pod = self.pods[name]
        container = pod.containers[number]
        stage = self._stages[container["image"].removeprefix("windowshop-").split(":")[0]]
        root = self.folder / "root" / f"{name}-{container['name']}"
        mounts = self._mount(pod, container, root)
        given = {**stage.environment, **{each["name"]: each["value"] for each in container.get("env", [])}}
        for key in [key for key in given if key.endswith("_PORT")]:
            given[key] = str(self._ports.setdefault(int(given[key]), free_port()))
        programs = self.folder / "bin"
        if not programs.exists():
            programs.mkdir()
            for program, words in {"python": "", "windowshop": "-m windowshop "}.items():
                (programs / program).write_text(f'#!/bin/sh\nexec {sys.executable} {words}"$@"\n')
                (programs / program).chmod(0o755)
        words = [_local(word, mounts).replace("/opt/deploy", str(ROOT / "deploy"))
                 for word in (*container["command"], *container.get("args", []))]  # fmt: skip
        assert words[:2] == ["tini", "--"]
        environment = {key: _local(value, mounts) for key, value in given.items()} | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HF_HUB_OFFLINE": "1",
            "TMPDIR": "/tmp",
        }
        return words[2:], {key: "127.0.0.1" if value == "0.0.0.0" else value for key, value in environment.items()}

    def _mount(self, pod: Pod, container: Mapping[str, Any], root: Path) -> dict[str, Path]:
        """Write the files of the volumes. Returns the folder of each mounted path."""
        volumes = {volume["name"]: volume for volume in pod.spec["volumes"]}
        mounts = {
            mount["mountPath"]: root / mount["mountPath"].removeprefix("/")
            for mount in container["volumeMounts"]
            if mount["mountPath"] != "/tmp"  # this machine's /tmp is used, because it has the folders of the site
        }
        for mount in container["volumeMounts"]:
            volume = volumes.get(mount["name"], {})
            folder = mounts.get(mount["mountPath"], root)
            folder.mkdir(parents=True, exist_ok=True)
            if "secret" in volume:
                values = self.secrets[volume["secret"]["secretName"]]
                items = {item["key"]: item["path"] for item in volume["secret"].get("items", [])} or dict.fromkeys(
                    values
                )
                files = {path or key: values[key] for key, path in items.items()}
            elif "configMap" in volume:
                files = one(self.manifests, "ConfigMap", volume["configMap"]["name"])["data"]
            else:
                continue
            (folder / "..data").mkdir(exist_ok=True)  # Kubernetes mounts files as links, too
            for name, text in files.items():
                for host, here in self._hosts.items():
                    text = text.replace(host, here)
                if not self.has_tls:
                    text = text.split("?sslmode=")[0]
                (folder / "..data" / name).write_text(_local(text, mounts))
                if not (folder / name).is_symlink():
                    (folder / name).symlink_to(f"..data/{name}")
        return mounts


def _local(text: str, mounts: Mapping[str, Path]) -> str:
    for path, folder in mounts.items():
        text = text.replace(path, str(folder))
    return text


@contextmanager
def running(name: str, folder: Path, programs: tuple[Path, Mapping[str, str]]) -> Iterator[KubernetesSite]:
    site = KubernetesSite(name, folder, programs)
    try:
        yield site
    finally:
        for process in [*site.running][::-1]:
            site.stop(process)
