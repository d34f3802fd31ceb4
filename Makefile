# The same commands for a person and for CI. `make demo` needs Python >= 3.11, pip and nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test lint audit format bench sample-logs screenshots clean

demo: $(VENV)/.product  ## install the product and show it on the sample logs
	@# Exit code 4 says that the sample's broken file was named and left out, as it should be.
	@$(BIN)/sts-regions analyze sample_logs --min-days 14 || test $$? -eq 4

test: $(VENV)/.dev  ## run all tests
	$(BIN)/pytest

lint: $(VENV)/.dev  ## check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: $(VENV)-audit/.ready  ## ask for known vulnerabilities of the pinned versions; needs the internet
	@# Strict: a version that nobody could look up is no version without vulnerabilities.
	$(VENV)-audit/bin/pip-audit --strict --no-deps --disable-pip --progress-spinner off -r constraints.txt

format: $(VENV)/.dev  ## put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.bench  ## measure against other tools, about ten minutes
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.s3
	$(BIN)/python -m benchmarks.digests

sample-logs:  ## write sample_logs/ anew, byte for byte the same
	$(PYTHON) sample_logs/generate.py

screenshots: $(VENV)/.dev  ## take the pictures in docs/ anew; needs chromium
	$(BIN)/python docs/screenshots.py

clean:  ## remove what these commands made
	rm -rf $(VENV) $(VENV)-audit build dist benchmarks/data .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/.product: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.product
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[bench]"
	@touch $@

$(VENV)-audit/.ready:
	$(PYTHON) -m venv $(VENV)-audit
	$(VENV)-audit/bin/pip install --quiet --disable-pip-version-check "pip-audit>=2.9"
	@touch $@
