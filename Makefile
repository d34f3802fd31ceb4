# The same commands for a person and for CI. `make demo` needs Python >= 3.11, pip and nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

# The tests that touch every dependency; OLDEST_TESTS=tests runs all of them.
OLDEST_TESTS ?= tests/test_golden.py tests/test_cli.py tests/test_store.py tests/test_reference.py \
	tests/test_record_parsing.py tests/test_signatures.py tests/test_s3_source.py tests/test_html_report.py

.PHONY: demo test test-oldest test-pythons soak lint audit format bench sample-logs screenshots clean

demo: $(VENV)/.product  ## install the product and show it on the sample logs
	@# Exit code 4 says that the sample's broken file was named and left out, as it should be.
	@$(BIN)/sts-regions analyze sample_logs --min-days 14 || test $$? -eq 4

test: $(VENV)/.dev  ## run all tests
	$(BIN)/pytest

test-oldest: .venv-oldest/.dev  ## run tests with the oldest versions that pyproject.toml allows
	.venv-oldest/bin/pytest $(OLDEST_TESTS)

test-pythons:  ## run all tests with every Python that is here and is supported
	@for version in 3.11 3.12 3.13 3.14; do \
		if python$$version -c '' 2>/dev/null; then \
			echo "Python $$version"; $(MAKE) test VENV=.venv-$$version PYTHON=python$$version || exit 1; \
		else \
			echo "Python $$version is not here"; \
		fi; \
	done

soak: $(VENV)/.soak  ## ten minutes of faults, random organizations and fuzzing
	PYTHONPATH=tests $(BIN)/python -m soak

lint: $(VENV)/.dev  ## check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: .venv-audit/.ready  ## ask for known vulnerabilities of the pinned versions; needs the internet
	@# Strict: a version that nobody could look up is no version without vulnerabilities.
	.venv-audit/bin/pip-audit --strict --no-deps --disable-pip --progress-spinner off -r constraints.txt

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
	rm -rf $(VENV) .venv-* build dist benchmarks/data .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/.product: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.product
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

$(VENV)/.soak: $(VENV)/.dev
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[soak]"
	@touch $@

.venv-oldest/.dev: pyproject.toml constraints-oldest.txt
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/pip install --quiet --disable-pip-version-check -c constraints-oldest.txt -e ".[dev]"
	@touch $@

.venv-audit/.ready:
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/pip install --quiet --disable-pip-version-check "pip-audit>=2.9"
	@touch $@

$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[bench]"
	@touch $@
