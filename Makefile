# Everything a newcomer or a continuous integration needs; `make run` is the way in.
PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: install dev oracles run test test-full check demo exhaustive soak clean

install: $(VENV)/installed  ## a .venv with the package
$(VENV)/installed: pyproject.toml constraints.txt $(wildcard service/native/*.[ch])
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	@$(BIN)/python -c "from service.backends import kernel; print('tensorseed computes with the kernel', kernel().name)"
	@$(BIN)/python -c "from service.native import PATHS; PATHS or print('No C compiler was found: NumPy computes, the same bits several times slower')"
	touch $@

dev: $(VENV)/dev
$(VENV)/dev: $(VENV)/installed
	$(PIP) -e '.[dev]'
	touch $@

oracles: $(VENV)/oracles
$(VENV)/oracles: $(VENV)/dev
	$(PIP) -e '.[dev,oracles]'
	touch $@

run: install  ## install, then serve on 127.0.0.1 (PORT=8000)
	$(BIN)/tensorseed serve --port $(PORT)

test: dev  ## the whole suite; what needs another toolchain is skipped with a word
	$(BIN)/python -m pytest

test-full: oracles  ## the suite with every oracle installed
	$(MAKE) test

check: dev  ## style, types, import directions, and the documentation's examples
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/docs

demo: install  ## serve, fetch GPT-2's weights, compare every std with the plan
	$(BIN)/python -m tools.demo

exhaustive: dev  ## the normal quantile over all 2^32 words
	$(BIN)/python -m tools.exhaustive

soak: dev  ## stream 20 GB and watch the server's memory
	$(BIN)/python -m tools.soak

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
