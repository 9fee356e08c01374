# Souk's commands. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
# The tests start dozens of processes: each would compile everything anew, for seconds.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
PORT ?= 8000
WORKERS ?= 4
PROVERS ?= 2
CASES ?= 11000
PYTEST_ARGS ?=
UV ?= $(shell command -v uv || echo .cache/uv/bin/uv)
# More files for docker compose, e.g. COMPOSE_EXTRA="-f my.yml" for a proxy in builds.
COMPOSE_EXTRA ?=
COMPOSE_TEST_EXTRA ?=

PY := .venv/bin/python
# The files name every package, and what is never imported need not be compiled.
PIP := $(PY) -m pip install --disable-pip-version-check --require-hashes --no-deps --no-compile
# One dot for each package: pip's own bar is long, and silence looks like a hang.
DOTS := while read -r line; do case "$$line" in (Collecting*) printf .;; esac; done; echo

CHECKS := check-types check-style check-django

.PHONY: help run wallet test test-fast fuzz prove bench bench-flash bench-leaderboard bench-dashboard bench-stream screenshots translations
.PHONY: check $(CHECKS) advisories requirements compose-test clean stack soak backup restore

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "Variables: PORT=$(PORT) PYTHON=$(PYTHON) WORKERS=$(WORKERS) PYTEST_ARGS=\"-k refund\""

run: .venv/.embedded ## the shop on 127.0.0.1:PORT: SQLite, own worker, Stripe sandbox; Ctrl-C ends it
	@exec $(PY) -m config.embedded --port $(PORT)

# With SMALL=1 the shape for 1 GB; STATE= keeps the data elsewhere.
stack: .venv/.full ## production's shape as plain processes: nginx, two replicas, workers, MySQL, Redis
	@exec $(PY) .ci/stack.py --port $(PORT) --folder $(STATE) $(if $(SMALL),--small)

MINUTES ?= 60
STATE ?= var/stack
SMALL ?=

soak: .venv/.full ## MINUTES of 30 % load on that shape, with a random fault each minute
	@exec $(PY) .ci/soak.py --minutes $(MINUTES)

BACKUPS ?= var/backups
FILE ?=
YES ?=

backup: ## dump the database of docker compose, or of BACKUP_DATABASE_URL, into BACKUPS
	@python3 deploy/backup.py dump $(BACKUPS)

restore: ## put FILE in place of that database: make restore FILE=… YES=souk
	@python3 deploy/backup.py restore "$(FILE)" --yes "$(YES)"

wallet: .venv/.embedded ## a new wallet with coins of the mock chain, to pay at the shop of `make run`
	@PUBLIC_URL=$${PUBLIC_URL:-http://127.0.0.1:$(PORT)} $(PY) manage.py chain_wallet

# Of the tests themselves, which are not measured.
UNBRANCHED := ignore:Unable to activate pytest branch coverage:RuntimeWarning

test: .venv/.full ## everything: the checks, then all tests on real MySQL and Redis, with coverage
	@$(PY) .ci/browser.py >/dev/null
	@$(MAKE) check
	@PYTHONWARNINGS="$(UNBRANCHED)" $(PY) .ci/servers.py run -- $(PY) -m slipcover -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-fast: .venv/.full ## the unit tests alone; no server
	@$(PY) -m pytest tests/unit $(PYTEST_ARGS)

check $(CHECKS): export DJANGO_SETTINGS_MODULE := config.settings.embedded
check $(CHECKS): export SOUK_STATE_DIR := $(CURDIR)/.cache/check
# What real keys look like: Stripe's live ones, AWS, GitHub, GitLab, Slack, Google, private keys.
SECRETS := (sk|rk)_live_[0-9A-Za-z]{24,}|sk_test_[0-9A-Za-z]{24,}|whsec_[0-9A-Za-z+/]{32,}|AKIA[0-9A-Z]{16}
SECRETS := $(SECRETS)|gh[pousr]_[0-9A-Za-z]{30,}|github_pat_\w{30,}|glpat-[0-9A-Za-z_-]{20,}|xox[abprs]-[0-9A-Za-z-]{10,}
SECRETS := $(SECRETS)|AIza[0-9A-Za-z_-]{35}|-----BEGIN [A-Z ]*PRIVATE KEY
# bandit holds a nosec against every expression of its line, and warns of those it does not concern.
NOSEC := nosec encountered .* but no failed test
# A version with known holes: a mirror that knows of none would let everything pass.
ADVISORIES := https://pypi.org/pypi/django/4.2/json

# Made-up values: the deployment check looks at the settings, and connects to nothing.
PRODUCTION := DJANGO_SETTINGS_MODULE=config.settings.production \
	SECRET_KEY=made-up-for-the-check-0123456789-abcdefghijklmnopqrstuvwxyz \
	JWT_SIGNING_KEY=made-up-too-for-the-check-0123456789-abcdefghijklmnopqrstuvwxyz \
	DATABASE_URL=mysql://made:up@127.0.0.1:1/souk REDIS_URL=redis://127.0.0.1:1/0 \
	STRIPE_SECRET_KEY=sk_test_made_up STRIPE_WEBHOOK_SECRET=whsec_made_up \
	ALLOWED_HOSTS=shop.example.com PUBLIC_URL=https://shop.example.com SECURE_SSL_REDIRECT=1

check: .venv/.full ## style, types, layers, bandit, migrations, system checks, API schema, Postman, docs
	@mkdir -p $(SOUK_STATE_DIR)
	@$(MAKE) --jobs 2 --output-sync=target $(CHECKS)

check-types:
	$(PY) -m mypy .
	MYPYPATH=.ci $(PY) -m mypy --strict --config-file= .ci/servers.py .ci/stack.py .ci/soak.py .ci/buy_lamp.py .ci/compose_sale.py .ci/nodetools.py .ci/postman_check.py .ci/browser.py docker/alive.py deploy/backup.py

check-style:
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	.venv/bin/lint-imports
	@echo "bandit -q -c pyproject.toml -r ."
	@$(PY) -m bandit -q -c pyproject.toml -r . 2>&1 | { grep -v "$(NOSEC)" || true; }
	@echo "secret scan"
	@! git grep -nIE -e '$(SECRETS)' -- . ':!Makefile' || { echo "Take it out of the code and change it where it is in use."; exit 1; }
	@$(MAKE) advisories

check-django:
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) manage.py check --fail-level WARNING
	@echo "$(PY) manage.py check --deploy --fail-level WARNING (production settings)"
	@$(PRODUCTION) $(PY) manage.py check --deploy --fail-level WARNING
	$(PY) manage.py spectacular --validate --fail-on-warn --format openapi-json --file $(SOUK_STATE_DIR)/schema.json
	$(PY) .ci/postman_check.py $(SOUK_STATE_DIR)/schema.json
	$(PY) manage.py schema_docs --check

advisories: ## known holes in the packages, by pip-audit, where advisories can be reached
	@if ! curl -fsS --max-time 10 $(ADVISORIES) 2>/dev/null | grep -q '"vulnerabilities": *\[ *{'; then \
		echo "pip-audit: left out, NOT audited: no advisories at $(ADVISORIES) from here"; \
	else \
		test -x .cache/audit/bin/pip-audit || { $(PYTHON) -m venv .cache/audit && .cache/audit/bin/pip install -q --disable-pip-version-check pip-audit; }; \
		.cache/audit/bin/pip-audit --strict --disable-pip --require-hashes -r requirements.txt; \
	fi

fuzz: .venv/.full ## at most CASES made-up calls, about 10,000, against the whole OpenAPI document
	@FUZZ_CASES=$(CASES) $(PY) .ci/servers.py run -- $(PY) -m pytest tests/fuzz -n $(WORKERS) --timeout 3600 $(PYTEST_ARGS)

# The longest first: the other process takes what is left of the rest.
PROOFS := tests/services/test_ledger_machine.py tests/races tests/faults tests/contracts/test_price_sandbox.py $(wildcard tests/services/test_reconcile*.py tests/services/test_crypto*.py tests/services/test_market.py)
PROOFS += tests/services/test_market.py tests/contracts/test_price_sandbox.py
PROOFS += $(patsubst %,tests/e2e/test_%.py,backup restore postman)
PROOFS += $(patsubst %,tests/api/test_%.py,webhooks idempotency throttle_login login_timing)
PROOFS += $(patsubst %,tests/api/test_%.py,query_budgets admin_pages probes size)

# PROVE_SCALE=0.1 takes a tenth of the sizes.
prove: .venv/.full ## races, faults and the ledger in full size (most of an hour); writes docs/proofs.md
	@PROVE=1 $(PY) .ci/servers.py run -- $(PY) -m pytest -p tests.prove -n $(PROVERS) --dist worksteal -vv --timeout 7200 $(PROOFS) $(PYTEST_ARGS)

ROUNDS ?= 5
SECONDS ?= 4

bench: .venv/.full ## all scenarios or NAME, each beside what it is measured against, ROUNDS of SECONDS each
	@ROUNDS=$(ROUNDS) SECONDS=$(SECONDS) $(PY) -m benchmarks $(NAME)

bench-flash: .venv/.full ## flash purchases against FOR UPDATE, an empty view, raw MySQL and Redis
	@ROUNDS=$(ROUNDS) SECONDS=$(SECONDS) $(PY) -m benchmarks flash

ROWS ?= 10000000

bench-leaderboard: .venv/.full ## pages of a leaderboard of ROWS purchases, the first and the deepest
	@ROWS=$(ROWS) $(PY) -m benchmarks leaderboard

bench-stream: .venv/.full ## 2,000 listeners while 1,000 units sell: delay, memory, processor time
	@$(PY) -m benchmarks stream

# What is translated: pages and letters, and not what staff see.
TEXTS := -i '.venv/*' -i '.cache/*' -i '.ci/*' -i 'var/*' -i 'tests/*' -i 'benchmarks/*' -i 'docs/*'
TEXTS += -i 'config/templates/admin/*' -i 'dashboards/staff/*' -i 'dashboards/templates/staff/*'
TEXTS += -i 'payments/exports/*' -i 'payments/templates/payments/exports/*' -i 'shop/imports/*' -i 'shop/templates/*'

translations: .venv/.full ## new texts into the catalogues of locale/, and compile these; with GNU gettext
	@$(PY) manage.py makemessages --all --no-location --no-wrap --no-obsolete $(TEXTS)
	@$(PY) manage.py compilemessages -i '.venv/*' -i '.cache/*'

ORDERS ?= 1000000

bench-dashboard: .venv/.full ## the dashboards at 1,000 and at ORDERS orders: p50 and their ratio
	@ROUNDS=$(ROUNDS) ORDERS=$(ORDERS) $(PY) -m benchmarks dashboards

screenshots: .venv/.full ## the pictures of docs/images, of a shop that was just started
	@$(PY) -m tests.e2e.screenshots

requirements: $(if $(findstring .cache/uv,$(UV)),.cache/uv/bin/uv) ## compile the three hashed requirement files
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --all-extras pyproject.toml -o requirements.txt
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --extra production --extra tracing pyproject.toml -c requirements.txt -o requirements-production.txt
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes pyproject.toml -c requirements.txt -o requirements-embedded.txt

compose-test: ## with a Docker engine: the shop in containers, a lamp bought in it, the tests in containers
	@COMPOSE_EXTRA="$(COMPOSE_EXTRA)" COMPOSE_TEST_EXTRA="$(COMPOSE_TEST_EXTRA)" .ci/compose-test

clean: ## remove environments and caches; the shop's own state in var/ stays
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache coverage.json staticfiles
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit("Souk needs Python 3.11 to 3.13: make PYTHON=python3.13 …")'
	@$(PYTHON) -m venv .venv

.venv/.embedded: requirements-embedded.txt | .venv/bin/python
	@echo "Installing the packages of requirements-embedded.txt into .venv (once; under a minute)"
	@$(PIP) --only-binary :all: -r requirements-embedded.txt | { $(DOTS); }
	@touch $@

# The full set contains the embedded one.
.venv/.full: requirements.txt | .venv/bin/python
	@.ci/compiler $(PY)
	@echo "Installing the packages of requirements.txt into .venv (once; a minute or two)"
	@$(PIP) -r requirements.txt | { $(DOTS); }
	@touch .venv/.embedded $@

.cache/uv/bin/uv:
	@$(PYTHON) -m venv .cache/uv
	@.cache/uv/bin/python -m pip install -q --disable-pip-version-check uv
