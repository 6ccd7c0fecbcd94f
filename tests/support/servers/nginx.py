"""Runs a real nginx in front of a service."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import free_port, wait_until

_CONFIG = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
{user}
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {server}
}}
"""


@contextmanager
def nginx(folder: Path, locations: str) -> Iterator[str]:
    """Run nginx with the given `location` blocks until the context ends, and yield its address."""
    server = f"server {{ listen 127.0.0.1:PORT; client_max_body_size 16m; {locations} }}"
    with nginx_server(folder, server) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def nginx_server(folder: Path, server: str) -> Iterator[int]:
    """Run nginx with the given `server` block, whose PORT is replaced by a free port, and yield this port."""
    path = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if path is None:
        pytest.skip("nginx is not installed")
    port = free_port()
    config = folder / "nginx.conf"
    user = "user root;" if os.getuid() == 0 else ""  # the workers write below `folder`
    config.write_text(_CONFIG.format(folder=folder, server=server.replace("PORT", str(port)), user=user))
    process = subprocess.Popen([path, "-e", str(folder / "error.log"), "-c", str(config)], stderr=subprocess.PIPE)
    try:
        wait_until(lambda: _answers(port) or process.poll() is not None, 30, "nginx answers")
        assert process.poll() is None, (folder / "error.log").read_text()
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
