# Everything from a bare machine with Python 3.11: `make demo`, `make test`.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
# A CPU build of torch that is already in the environment stays; see README, "Try it".
CONSTRAINTS := constraints.txt
DEMO_ARGS ?=

.PHONY: demo up test lint wheel soak screenshots bench starter clean

$(VENV)/.installed: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint $(CONSTRAINTS) --editable '.[encoder,web,dev]'
	touch $@

demo: $(VENV)/.installed  ## from nothing to a search page; DEMO_ARGS=--no-serve ends without it
	$(BIN)/windowshop demo $(DEMO_ARGS)

up: $(VENV)/.installed  ## database, encoder, search page and REST in the foreground
	$(BIN)/windowshop up

test: $(VENV)/.installed  ## every test that takes seconds
	$(BIN)/pytest -m "not soak" --numprocesses 3 --dist loadfile

soak: $(VENV)/.installed  ## kills and churn, for minutes
	$(BIN)/pytest -m soak

lint: $(VENV)/.installed  ## style, types, import direction
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

wheel: $(VENV)/.installed  ## build the wheel, install it elsewhere, use it from there
	$(BIN)/python tests/check_wheel.py

screenshots: $(VENV)/.installed  ## docs/screenshots/ again, from the whole sample; needs Chromium
	WINDOWSHOP_SCREENSHOTS=1 WINDOWSHOP_REQUIRE_BROWSER=1 $(BIN)/pytest tests/web/page/test_screenshots.py

bench: $(VENV)/.installed  ## measure; figures go to benchmarks/results/
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint $(CONSTRAINTS) --editable '.[encoder,web,dev,bench]'
	$(BIN)/python -m benchmarks

starter: $(VENV)/.installed  ## reproduce the starter model's held-out figures
	$(BIN)/python -m windowshop.starter evaluate

clean:
	rm -rf $(VENV) build dist *.egg-info .cache
