# Novice: every task of a developer or a newcomer. `make` alone lists them.
#
# Everything is built in the release profile, so that dependencies are compiled once for the demo, the tests and use.
# After the set-up nothing here needs a network. An exported LIBTORCH is used (scripts/setup.sh).

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:

CARGO ?= cargo
FLAGS := --release --locked --offline
NOVICE = $(CARGO) run --quiet $(FLAGS) --bin novice --
# Where `make newcaledonia` finds the data.
DATA ?= data/newcaledonia

NEWCALEDONIA = configs/newcaledonia.yaml --set data.course=$(DATA)/course.yaml --set data.traces=$(DATA)/traces.jsonl

.PHONY: help setup build demo newcaledonia test fmt lint doc unit deny test-long test-browser clean clean-runs clean-libtorch

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Check the tools, obtain libtorch and the crates (once; about 530 MB and 2 minutes)
	@scripts/setup.sh

build: setup ## Build the novice binary (the first time: several minutes)
	@echo "== build" >&2
	@$(CARGO) build $(FLAGS) --workspace

demo: build ## Train a small learner on the embedded course, evaluate it, watch it (about 6 minutes after the build)
	@echo "== demo; results go to runs/demo" >&2
	@$(NOVICE) train configs/demo.yaml --force
	@$(NOVICE) evaluate runs/demo
	@$(NOVICE) simulate runs/demo --problem total --temperature 0.5

newcaledonia: build ## The same on real submissions: make newcaledonia DATA=folder (under an hour)
	@test -e "$(DATA)" || { echo "error: $(DATA) does not exist; say where the data are: make newcaledonia DATA=folder" >&2; exit 2; }
	@echo "== newcaledonia; results go to runs/newcaledonia" >&2
	@$(NOVICE) train $(NEWCALEDONIA) --force
	@$(NOVICE) evaluate runs/newcaledonia

test: setup fmt lint doc unit deny ## Everything that must hold: format, lints, documentation, tests, licences
	@echo "== all passed" >&2

fmt: ## Is the code formatted?
	@echo "== format" >&2
	@$(CARGO) fmt --version > /dev/null 2>&1 || { echo "error: rustfmt is not installed: rustup component add rustfmt" >&2; exit 1; }
	@$(CARGO) fmt --all --check

lint: ## Clippy, warnings denied
	@echo "== lints" >&2
	@$(CARGO) clippy --version > /dev/null 2>&1 || { echo "error: clippy is not installed: rustup component add clippy" >&2; exit 1; }
	@$(CARGO) clippy $(FLAGS) --workspace --all-targets -- -D warnings

doc: ## Build the documentation, warnings denied
	@echo "== documentation" >&2
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(FLAGS) --workspace --no-deps

unit: ## Run the tests
	@echo "== tests" >&2
	@$(CARGO) build $(FLAGS) --workspace --bins --tests # the end-to-end tests start the binary
	@$(CARGO) test $(FLAGS) --workspace

deny: ## Licences, bans and sources of all dependencies, where cargo-deny is installed
	@if $(CARGO) deny --version > /dev/null 2>&1; then \
		echo "== dependencies" >&2; $(CARGO) deny --offline check licenses bans sources; \
	else \
		echo "== dependencies: not checked, cargo-deny is not installed" >&2; \
	fi

# Two tests need what a machine may not have: a folder with course.yaml and traces.jsonl, and a Python with transformers.
WITHOUT = $(if $(NOVICE_TRACES),,--skip a_folder_of_real_traces) \
	$(if $(NOVICE_PEER_PYTHON),,--skip transformers_reads_and_writes_the_same)

test-long: setup ## Run the tests that take minutes as well (with NOVICE_TRACES and NOVICE_PEER_PYTHON set, two more)
	@echo "== tests, long ones included" >&2
	@$(CARGO) build $(FLAGS) --workspace --bins --tests
	@$(CARGO) test $(FLAGS) --workspace -- --include-ignored $(WITHOUT)

# The run whose report `make test-browser` opens.
RUN ?= runs/demo

test-browser: build ## Open the report of a run in Chromium without a network: make test-browser RUN=runs/demo
	@test -e "$(RUN)/evaluation" || { echo "error: $(RUN) is not evaluated; run \`make demo\` first, or say RUN=folder" >&2; exit 2; }
	@test -x "$${CHROMIUM:-/usr/bin/chromium}" || { echo "error: no Chromium; install it (apt-get install chromium) or set CHROMIUM" >&2; exit 1; }
	@cd tests/browser && { test -d node_modules/playwright-core || npm ci --no-audit --no-fund; }
	@$(NOVICE) report "$(RUN)" --out target/report.html
	@node tests/browser/report.mjs target/report.html tests/browser/screenshots

clean: ## Remove what was built (runs and libtorch stay)
	@$(CARGO) clean

clean-runs: ## Remove all run folders (nothing else under runs/)
	@for marker in runs/*/.novice-run; do if [ -f "$$marker" ]; then echo "removing $${marker%/*}" >&2; rm -rf -- "$${marker%/*}"; fi; done

clean-libtorch: ## Remove the fetched libtorch (a link is removed, never what it points to)
	@rm -rf -- third_party/libtorch
