# Works on a machine with nothing but Python 3.12 (or pyenv with one): uv comes from the package index into a
# private environment, and everything else through uv.
PYTHON ?= $(shell for p in python3.12 python3.13 python3 "$$(ls -d $$HOME/.pyenv/versions/3.12*/bin/python 2>/dev/null | tail -1)"; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && echo "$$p" && break; done)
UV := .uv/bin/uv
RUN := .venv/bin
OUT ?= out
ARGS ?=

unexport PYTHONDONTWRITEBYTECODE  # the packages are compiled once, not at every start

.PHONY: backtest test lint types bench lock clean

backtest: .venv/.run
	$(RUN)/oi-hedge backtest --out $(OUT) $(ARGS)

test: .venv/.dev
	$(RUN)/pytest --numprocesses auto --dist loadfile $(ARGS)

lint: .venv/.dev
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .

types: .venv/.dev
	$(RUN)/mypy

bench: .venv/.dev
	$(RUN)/python -m benchmarks $(ARGS)

$(UV):
	@test -n "$(PYTHON)" || { echo "Python 3.12 or newer was not found: install it, or name it with PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet uv

.venv/bin/python: | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv

.venv/.run: pyproject.toml requirements.lock | .venv/bin/python
	$(UV) pip install --quiet --python .venv/bin/python --constraints requirements.lock --editable .
	@touch $@

.venv/.dev: pyproject.toml requirements.lock tests/support/ethereum/package-lock.json | .venv/bin/python
	$(UV) pip install --quiet --python .venv/bin/python --constraints requirements.lock --editable . --group dev
	@if command -v npm > /dev/null; then \
		mkdir -p .venv/ethereum && cp tests/support/ethereum/package*.json .venv/ethereum/ && \
		cd .venv/ethereum && npm ci --ignore-scripts --no-audit --no-fund --silent; \
	else echo "npm was not found: tests against an Ethereum node will be skipped"; fi
	@touch $@ .venv/.run

lock: | $(UV)
	$(UV) pip compile --quiet --universal --python-version 3.12 --generate-hashes --no-emit-index-url \
		--no-header --extra train --group dev --output-file requirements.lock pyproject.toml

clean:
	rm -rf .venv .uv out
