# What one can do here. `make` alone lists it.

PORT := $(or $(PORT),8000)
EXAMPLES ?= 200
SECONDS ?= 600
POSTGRES_URL ?= postgres://postgres@127.0.0.1:5432/postgres
PYTHON ?= $(firstword $(shell command -v python3.11 python3))

# pipenv hashes the index of pip's configuration into the lock: /dev/null is that of most machines.

# pipenv lives in .tools, its environment in .venv; git ignores both.
PIPENV := PIPENV_VENV_IN_PROJECT=1 PIPENV_IGNORE_VIRTUALENVS=1 PIPENV_VERBOSITY=-1 .tools/bin/pipenv

# `run`, `setupdb` and `rebuild` use the environment that is active, or a python that has all packages
# of Pipfile; else .venv, made on first use.
LOCKED := import importlib.metadata as installed, tomllib; \
	[installed.version(name) for name, pin in tomllib.load(open("Pipfile", "rb"))["packages"].items() \
	if "markers" not in pin]
ifneq ($(VIRTUAL_ENV)$(PIPENV_ACTIVE),)
BIN :=
else ifeq ($(shell python -c '$(LOCKED)' 2>/dev/null && echo yes),yes)
BIN :=
else
BIN := .venv/bin/
READY := .venv/.packages
endif
DEV := .venv/.dev-packages
PROOFS := $(patsubst %,tests/orders/test_%.py,races crashes state_machine) tests/changes/test_concurrency.py \
	tests/mail/test_crashes.py tests/webhooks/test_crashes.py
# pytest, with all that it writes in a folder that is gone afterwards. It starts hundreds of processes:
# without bytecode, each would compile Django anew.
PYTEST := unset PYTHONDONTWRITEBYTECODE && scratch=$$(mktemp -d) && trap 'rm -r "$$scratch"' EXIT && \
	export PYTHONPYCACHEPREFIX=$$scratch/pycache COVERAGE_FILE=$$scratch/coverage \
	HYPOTHESIS_STORAGE_DIRECTORY=$$scratch/hypothesis && \
	.venv/bin/pytest -p no:cacheprovider

# Migrations that shops have run, which squawk does not read.
RELEASED := customers.0001_initial customers.0002_tokens_limits_and_closing \
	orders.0001_initial orders.0002_keys_and_events orders.0003_open_the_books \
	orders.0004_order_by_status products.0001_initial products.0002_stockadjustment \
	products.0003_order_and_stock_indexes products.0004_census
# Those that squawk refuses for the sake of servers of the release before: these have to be stopped.
STOPPED := orders.0005_item_without_sku orders.0006_note_reference_and_placed_by \
	orders.0007_money_of_three_places products.0005_search_text products.0010_price_of_three_places \
	products.0016_stock_band
MIGRATIONS := $(subst /migrations/,.,$(basename $(wildcard */migrations/[0-9]*.py)))

.DEFAULT_GOAL := help
.PHONY: help run storefront setupdb rebuild test test-fast test-postgres test-long fuzz bench bench-quick growth check \
	deploy-check browser clients toolchain soak attack audit lock

help:
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | awk -F '\t' '{ printf "%-15s %s\n", $$1, $$2 }'

run: $(READY) ## Serve the shop on PORT (8000), with the demo shop and a worker.
	@$(BIN)python manage.py migrate --verbosity 0
	@$(BIN)python manage.py load_demo
	@printf '%s\n' '' 'API     http://127.0.0.1:$(PORT)/api/' \
		'Docs    http://127.0.0.1:$(PORT)/api/docs/' \
		'Admin   http://127.0.0.1:$(PORT)/admin/' 'Ctrl-C stops the server and its worker.' ''
	@exec 3<&0; $(BIN)python manage.py db_worker & worker=$$!; \
		$(BIN)python manage.py runserver $(PORT) <&3 & server=$$!; trap 'kill $$server' INT TERM; \
		wait $$server; status=$$?; kill $$worker $$server 2>/dev/null; wait; exit $$status

storefront: ## Serve the example client on port 8080, beside `make run`.
	@printf '%s\n' 'Shop    http://127.0.0.1:8080/' 'Ctrl-C stops the server.'
	@$(PYTHON) -m http.server 8080 --bind 127.0.0.1 --directory examples/storefront

setupdb: $(READY) ## Migrate, and load what is missing of the demo shop.
	$(BIN)python manage.py migrate
	$(BIN)python manage.py load_demo

rebuild: $(READY) ## Drop the SQLite database, migrate and load the demo shop.
	rm -f db.sqlite3 db.sqlite3-shm db.sqlite3-wal
	DATABASE_URL=sqlite:///db.sqlite3 $(MAKE) setupdb

test: $(DEV) ## Run the test suite on SQLite.
	export DATABASE_URL=sqlite:///db.sqlite3; $(PYTEST) --numprocesses 2

test-fast: $(DEV) ## Run it in under a minute, without the long proofs.
	export DATABASE_URL=sqlite:///db.sqlite3; $(PYTEST) --numprocesses 2 -m 'not slow'

test-postgres: $(DEV) ## Run it on PostgreSQL, at POSTGRES_URL, and measure its coverage.
	@.venv/bin/python -c 'import psycopg, sys; psycopg.connect(sys.argv[1], connect_timeout=5)' \
		$(POSTGRES_URL) 2>/dev/null || { echo 'No PostgreSQL lets us in at $(POSTGRES_URL).'; exit 1; }
	export DATABASE_URL=$(POSTGRES_URL); $(PYTEST) --numprocesses 2 --cov

test-long: $(DEV) ## Run the long proofs of orders, feed, mails and webhooks, on SQLite and on PostgreSQL.
	LONG=1 DATABASE_URL=sqlite:///db.sqlite3 .venv/bin/pytest $(PROOFS)
	LONG=1 DATABASE_URL=$(POSTGRES_URL) .venv/bin/pytest $(PROOFS)

fuzz: $(DEV) ## Fuzz the API with schemathesis: EXAMPLES (200) an operation, on PostgreSQL.
	EXAMPLES=$(EXAMPLES) DATABASE_URL=$(POSTGRES_URL) .venv/bin/pytest -s tests/fuzz/run.py

bench: .venv/.packages benchmarks/.venv/.packages ## Measure the shop beside its peers (30 minutes).
	POSTGRES_URL=$(POSTGRES_URL) benchmarks/.venv/bin/python -m benchmarks

bench-quick: .venv/.packages benchmarks/.venv/.packages ## See that all of that works (3 minutes).
	POSTGRES_URL=$(POSTGRES_URL) benchmarks/.venv/bin/python -m benchmarks --quick

growth: .venv/.packages ## Measure how costs grow from a thousand products to a million (10 minutes).
	POSTGRES_URL=$(POSTGRES_URL) $(BIN)python -m benchmarks.growth

check: $(DEV) ## Lint, format, lock, migrations (there, and harmless at POSTGRES_URL), schema, deploy check.
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	PIP_CONFIG_FILE=/dev/null $(PIPENV) verify
	.venv/bin/python manage.py makemigrations --check --dry-run
	@for migration in $(filter-out $(RELEASED) $(STOPPED),$(MIGRATIONS)); do \
		sql=$$(DATABASE_URL=$(POSTGRES_URL) .venv/bin/python manage.py \
			sqlmigrate $${migration%.*} $${migration#*.}) && \
		echo "$$sql" | .venv/bin/squawk --stdin-filepath $$migration || exit 1; done
	.venv/bin/python manage.py spectacular --validate --fail-on-warn --file /dev/null
	export DEBUG=false ALLOWED_HOSTS=shop.example DATABASE_URL=sqlite://:memory: \
		SECRET_KEY="$$(.venv/bin/python -c 'import secrets; print(secrets.token_urlsafe(50))')" && \
		.venv/bin/python manage.py collectstatic --noinput --verbosity 0 && \
		.venv/bin/python manage.py check --deploy --fail-level WARNING

deploy-check: $(DEV) deploy/.venv/.packages ## Lint what deploys the shop, walk the Dockerfile, run two copies.
	deploy/check
	DATABASE_URL=sqlite:///db.sqlite3 .venv/bin/pytest tests/deploy/dockerfile.py tests/deploy/backup.py \
		tests/deploy/commands.py tests/deploy/media.py
	DATABASE_URL=$(POSTGRES_URL) .venv/bin/pytest -s \
		tests/deploy/copies.py tests/deploy/failover.py tests/deploy/backup.py

browser: $(DEV) .tools/clients/node_modules/.package-lock.json ## Have Chromium buy in the storefront, and do the work of staff in the admin.
	@command -v chromedriver >/dev/null || { echo "Chromium is missing: apt-get install chromium-driver"; exit 1; }
	DATABASE_URL=sqlite:///db.sqlite3 .venv/bin/pytest tests/browser/cross_origin.py tests/browser/storefront.py \
		tests/browser/admin_*.py

clients: toolchain $(DEV) .tools/clients/.packages ## Lint the OpenAPI document, check the storefront, have generated clients buy (2 minutes).
	DATABASE_URL=$(POSTGRES_URL) .venv/bin/pytest -s tests/clients/run.py

# Not installed by make: node and a JDK.
toolchain:
	@missing=$$(tests/clients/missing); [ -z "$$missing" ] || { \
		echo "No client was generated: apt-get install --no-install-recommends$$missing"; exit 1; }

attack: $(DEV) ## Attack a server of one's own behind nginx, on PostgreSQL (2 minutes; with LONG=1, 10).
	DATABASE_URL=$(POSTGRES_URL) .venv/bin/pytest -s tests/attack/availability.py tests/attack/connections.py

soak: $(DEV) ## Load the shop for SECONDS (600) with four fifths of what it can carry.
	SECONDS=$(SECONDS) DATABASE_URL=$(POSTGRES_URL) .venv/bin/pytest -s tests/deploy/soak.py

audit: $(DEV) ## Look what is installed up in the advisories of known vulnerabilities.
	@found=$$(.venv/bin/pip-audit --strict --progress-spinner off) || { echo \
		"$${found:-Nothing was audited: the advisory service cannot be reached or lacks a package.}"; exit 1; }

lock: .tools/bin/pipenv ## Bring Pipfile.lock up to date with Pipfile; the lock names no source.
	PIP_CONFIG_FILE=/dev/null $(PIPENV) lock
	$(PYTHON) -c 'import json, pathlib; lock = pathlib.Path("Pipfile.lock"); \
		content = json.loads(lock.read_text()); content["_meta"]["sources"] = []; \
		lock.write_text(json.dumps(content, indent=4) + "\n")'

.tools/bin/pipenv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "shopply needs Python 3.11: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .tools
	.tools/bin/pip install --quiet --disable-pip-version-check pipenv==2026.10.3

.venv/bin/python:
	$(PYTHON) -m venv .venv

benchmarks/.venv/.packages deploy/.venv/.packages: %/.venv/.packages: %/requirements.txt
	$(PYTHON) -m venv $*/.venv
	$*/.venv/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

.tools/clients/node_modules/.package-lock.json: $(addprefix tests/clients/,.npmrc package.json package-lock.json)
	@command -v npm >/dev/null || { echo "Node.js is missing: apt-get install --no-install-recommends nodejs npm"; exit 1; }
	mkdir -p .tools/clients
	cp $^ .tools/clients
	npm ci --prefix .tools/clients --ignore-scripts --no-audit --no-fund

.tools/clients/.packages: tests/clients/requirements.txt .tools/clients/node_modules/.package-lock.json
	$(PYTHON) -m venv .tools/clients/.venv
	.tools/clients/.venv/bin/pip install --quiet --disable-pip-version-check --requirement tests/clients/requirements.txt
	@touch $@

.venv/.packages: Pipfile.lock | .tools/bin/pipenv .venv/bin/python
	$(PIPENV) sync
	@touch $@

.venv/.dev-packages: Pipfile.lock | .tools/bin/pipenv .venv/bin/python
	$(PIPENV) sync --dev
	@touch $@ .venv/.packages
