"""Writes the digest of each image in images.yaml behind its version. skopeo reads the digests from the registries.

A version with a digest always names the same image. Without the digest, a registry may move the version to another
image. If a digest cannot be read, the file is not changed.
"""

import re
import subprocess
import sys
from pathlib import Path

IMAGES = Path(__file__).with_name("images.yaml")
# docker.io/prom/prometheus:v3.13.3, and perhaps @sha256:... behind it
IMAGE = re.compile(r"(?P<version>[\w.-]+\.\w+/[\w./-]+:[\w.-]+)(@sha256:[0-9a-f]{64})?$", re.MULTILINE)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def pinned(text: str) -> str:
    return IMAGE.sub(lambda found: f"{found['version']}@{digest(found['version'])}", text)


def digest(version: str) -> str:
    """Return the digest from the registry. Without an answer, exit with the reason."""
    command = ["skopeo", "inspect", "--no-tags", "--format", "{{.Digest}}", f"docker://{version}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except FileNotFoundError:
        sys.exit("error: skopeo is not installed; it reads the digests")
    except subprocess.TimeoutExpired:
        sys.exit(f"error: {version}: the registry does not answer")
    output = done.stdout.strip()
    if done.returncode != 0 or not DIGEST.fullmatch(output):
        sys.exit(f"error: {version}: {done.stderr.strip() or output or 'no digest'}")
    return output


def main() -> None:
    before = IMAGES.read_text(encoding="utf-8")
    after = pinned(before)
    IMAGES.write_text(after, encoding="utf-8")
    print("The digests are unchanged." if after == before else f"The digests are in {IMAGES}.")


if __name__ == "__main__":
    main()
