# Commands for new users and for continuous integration. Start with `make run`.
PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

NUMPY1 := .venv-numpy1
# program:Debian package to install if the program is missing
TOOLCHAINS := clang:clang clang:libclang-rt-14-dev aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu \
	aarch64-linux-gnu-gcc:libc6-dev-arm64-cross qemu-aarch64:qemu-user node:nodejs npm:npm \
	pg_createcluster:postgresql aria2c:aria2 wget:wget nginx:nginx-light promtool:prometheus openssl:openssl \
	chromium:chromium curl-config:libcurl4-openssl-dev

# Tests that start servers or measure time; they are not run in parallel with others.
ALONE := tests/web tests/registry tests/deploy tests/client tests/cli/test_remote.py tests/hub tests/tools tests/attacks tests/stream/test_pipeline.py

.PHONY: install dev oracles toolchains bench run test test-full style check demo exhaustive soak torture pictures image-test clean

install: $(VENV)/installed  ## create .venv and install the package
$(VENV)/installed: pyproject.toml constraints.txt $(wildcard service/native/*.[ch])
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	@$(BIN)/tensorseed config | tail -n 1
	touch $@

dev: $(VENV)/dev
$(VENV)/dev: $(VENV)/installed
	$(PIP) -e '.[dev]'
	touch $@

oracles: $(VENV)/oracles
$(VENV)/oracles: $(VENV)/dev
	$(PIP) -e '.[dev,oracles]'
	touch $@

$(NUMPY1)/installed: constraints.txt
	$(PYTHON) -m venv $(NUMPY1)
	grep -v '^numpy=' constraints.txt > $(NUMPY1)/constraints.txt
	$(NUMPY1)/bin/python -m pip install --quiet --disable-pip-version-check -c $(NUMPY1)/constraints.txt \
		numpy==1.26.4 pydantic rfc8785 hypothesis psutil pytest
	touch $@

toolchains:  ## install compilers, emulators, databases and clients for the tests, if run by root on Debian
	@missing=$$(for each in $(TOOLCHAINS); do command -v $${each%%:*} > /dev/null || echo $${each#*:}; done); \
		test -z "$$missing" || { apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing; } \
		|| echo "not all of" $$missing "could be installed: their tests will be skipped"

.npm/installed: tests/hub/package.json
	@mkdir -p .npm
	@if command -v npm > /dev/null; then cp $< .npm/ \
		&& npm install --prefix .npm --no-package-lock --no-audit --no-fund --silent && touch $@; \
		else echo "npm is not installed: tests of the Hub's JavaScript client will be skipped"; fi

run: install  ## install, then serve on 127.0.0.1 (PORT=8000)
	$(BIN)/tensorseed serve --port $(PORT)

test: dev  ## run the whole suite; tests whose toolchain is missing are skipped with a reason
	$(BIN)/python -m pytest -n 2 --dist loadfile $(addprefix --ignore=,$(ALONE))
	$(BIN)/python -m pytest $(ALONE)

test-full: oracles toolchains .npm/installed $(NUMPY1)/installed  ## run the suite with every oracle and toolchain installed
	$(MAKE) test

style: dev  ## check style, types and import directions
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

check: style  ## check style, then run the documentation's examples
	$(BIN)/python -m pytest tests/docs

demo: install  ## serve, download GPT-2's weights, compare every std with the plan
	$(BIN)/python -m tools.demo

exhaustive: dev  ## check the normal quantile for all 2^32 random words
	$(BIN)/python -m tools.exhaustive

$(VENV)/bench: $(VENV)/oracles
	$(PIP) -e '.[dev,oracles,bench]'
	touch $@

bench: $(VENV)/bench  ## measure every figure of the README and its comparison; takes some minutes
	$(BIN)/python -m benchmarks

soak: dev  ## stream 20 GB and check the server's memory
	$(BIN)/python -m tools.soak

torture: dev  ## stress real processes: random ranges, killed servers, terabytes; takes about 20 minutes
	$(BIN)/python -m tools.torture

pictures: dev  ## redraw every chart of the documentation from the analysis
	$(PIP) "matplotlib>=3.9"
	$(BIN)/python -m tools.pictures
	$(BIN)/python -m tests.browser

image-test:  ## build, start and check the container image without a Docker engine; needs root on Debian
	@{ command -v buildah && command -v debootstrap; } > /dev/null || { apt-get update -qq \
		&& apt-get install -y -qq --no-install-recommends buildah debootstrap; }
	$(PYTHON) -m tools.image

clean:
	rm -rf $(VENV) $(NUMPY1) .npm build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
