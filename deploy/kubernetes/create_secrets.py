"""Prints the secrets of a site with new random passwords. The script needs only Python, and writes no file.

python create_secrets.py | kubectl create --namespace windowshop --filename -

`kubectl create` refuses to replace a secret that exists. docs/kubernetes.md says how to change the passwords.
"""

import json
import secrets
from typing import Any

LOGINS = ("web_reader", "web_writer", "encoder", "loader", "jobs", "cli")
PRIMARY, REPLICAS = "windowshop-db-rw:5432", "windowshop-db-ro:5432"
# A URL for reading has two hosts. The first is the service of the replicas, which spreads new connections over them.
# While there are no replicas, its name leads to no server, and the client tries the second host.
POOLED, POOLED_REPLICAS = "windowshop-pooler-rw:5432", "windowshop-pooler-ro:5432,windowshop-pooler-rw:5432"


def main() -> dict[str, Any]:
    password = {name: secrets.token_urlsafe(32) for name in (*LOGINS, "postgres")}

    def url(login: str, hosts: str) -> str:
        name = login if login == "postgres" else f"shop_{login}"
        tls = "sslmode=verify-full&sslrootcert=/run/secrets/database/ca.crt"
        return f"postgresql://{name}:{password[login]}@{hosts}/windowshop?{tls}"

    administrator = {
        "username": "postgres",
        "password": password["postgres"],
        "database_url": url("postgres", PRIMARY),
    }
    web = {
        "database_url": url("web_writer", PRIMARY),
        "read_database_url": url("web_reader", f"{REPLICAS},{PRIMARY}"),
        "pooled_database_url": url("web_writer", POOLED),
        "pooled_read_database_url": url("web_reader", POOLED_REPLICAS),
    }
    return {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            secret("windowshop-administrator", administrator, type_="kubernetes.io/basic-auth"),
            secret("windowshop-logins", {login: password[login] for login in LOGINS}),
            secret("windowshop-web", web),
            secret("windowshop-encoder", {"database_url": url("encoder", PRIMARY)}),
            secret("windowshop-loader", {"database_url": url("loader", PRIMARY)}),
            secret("windowshop-jobs", {"database_url": url("jobs", PRIMARY)}),
        ],
    }


def secret(name: str, values: dict[str, str], type_: str = "Opaque") -> dict[str, Any]:
    # CloudNativePG sets the administrator's password again when a secret with this label changes.
    labels = {"app.kubernetes.io/part-of": "windowshop", "cnpg.io/reload": "true"}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": labels},
        "type": type_,
        "stringData": values,
    }


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
