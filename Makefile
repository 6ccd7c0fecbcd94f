# A machine needs only Python 3.11: every target but `clean` first creates the virtual environment.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
# constraints.txt pins the versions. A CPU build of torch that is already installed is kept; see README, "Try it".
CONSTRAINTS := constraints.txt
DEMO_ARGS ?=

.PHONY: demo up test clients deploy-check pin lint wheel soak screenshots bench starter clean

$(VENV)/.installed: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint $(CONSTRAINTS) --editable '.[embedded,encoder,onnx,web,mcp,tracing,dev]'
	touch $@

demo: $(VENV)/.installed  ## load the sample and serve the search page; DEMO_ARGS=--no-serve serves no page
	$(BIN)/windowshop demo $(DEMO_ARGS)

up: $(VENV)/.installed  ## run the database, the encoder, the search page and REST in the foreground
	$(BIN)/windowshop up

clients: $(VENV)/.installed  ## check the OpenAPI document and the service with tools of integrators; needs npm, nginx, Chromium
	mkdir -p $(VENV)/clients && cp tests/clients/package.json $(VENV)/clients/
	npm install --prefix $(VENV)/clients --silent --ignore-scripts --no-audit --no-fund --no-package-lock
	test -x $(VENV)/clients/python/bin/python || $(PYTHON) -m venv $(VENV)/clients/python
	$(VENV)/clients/python/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement tests/clients/requirements.txt
	WINDOWSHOP_CLIENT_PYTHON=$(VENV)/clients/python/bin/python WINDOWSHOP_CLIENT_TOOLS=$(VENV)/clients/node_modules/.bin $(BIN)/pytest -m "clients and not soak" tests/clients tests/web/page

# A test that fails runs once more, because some tests wait for processes and a browser. The summary lists each repeated test.
test: $(VENV)/.installed  ## run the tests, except those of clients, deploy-check and soak
	$(BIN)/pytest -m "not soak and not deploy and not clients" --ignore tests/clients --ignore tests/deploy --numprocesses 4 --no-loadscope-reorder --reruns 1

deploy-check: $(VENV)/.installed  ## check compose.yaml, deploy/kubernetes, the images, the monitoring and the operation of a site
	$(BIN)/pytest -m "deploy and not soak" tests/deploy tests/db/site_status tests/end_to_end tests/migrations tests/web/outages

pin: $(VENV)/.installed  ## write the digest of each image into deploy/images.yaml; needs skopeo and the registries
	$(BIN)/python deploy/pin.py
	$(BIN)/python deploy/kubernetes/generate.py

soak: $(VENV)/.installed  ## run the soak tests, which kill processes and change many rows for minutes
	$(BIN)/pytest -m soak

lint: $(VENV)/.installed  ## check style, types and import direction
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

wheel: $(VENV)/.installed  ## build the wheel, install it in a fresh environment and use it there
	$(BIN)/python tests/check_wheel.py

screenshots: $(VENV)/.installed  ## take docs/screenshots/ again from the whole sample; needs Chromium
	WINDOWSHOP_SCREENSHOTS=1 WINDOWSHOP_REQUIRE_BROWSER=1 $(BIN)/pytest tests/web/page/test_screenshots.py

bench: $(VENV)/.installed  ## run the benchmarks and write the figures to benchmarks/results/
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint $(CONSTRAINTS) --editable '.[embedded,encoder,onnx,web,mcp,tracing,dev,bench]'
	$(BIN)/python -m benchmarks

starter: $(VENV)/.installed  ## reproduce the starter model's held-out figures
	$(BIN)/python -m windowshop.starter evaluate

clean:
	rm -rf $(VENV) build dist *.egg-info .cache
