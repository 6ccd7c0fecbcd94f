"""Checks the health of a container: exits 0 if the process answers with success at a path, by default /health.

python health.py web|encoder|jobs [PATH]
"""

import os
import sys
from urllib.error import URLError
from urllib.request import urlopen

PORTS = {"web": "WINDOWSHOP_WEB_PORT", "encoder": "WINDOWSHOP_ENCODER_PORT", "jobs": "WINDOWSHOP_JOBS_PORT"}

process, path = sys.argv[1], (*sys.argv[2:], "/health")[0]
try:
    urlopen(f"http://127.0.0.1:{os.environ[PORTS[process]]}{path}", timeout=4).close()
except (URLError, TimeoutError) as error:  # an HTTPError is a URLError
    sys.exit(f"{process}: {error}")
