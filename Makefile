# The verbs of the house. Each calls the real tool; what needs more than a line lives under tools/.
# PYTHON=python3.12 chooses the interpreter of the environment, ARGUMENTS="…" is handed on to the tool.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench lock generate secrets clean
ARGUMENTS ?=

help: ## show the verbs
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

setup: ## make the virtual environment from the locks, nothing when it is in step
	@tools/setup

demo: setup ## play a whole day of Fix My Street into CRM-CMT and count
	@.venv/bin/relais demo $(ARGUMENTS)

test: setup ## run every test, embedded and PostgreSQL
	@tools/test $(ARGUMENTS)

check: setup ## style, types, import contracts, generated files and layout
	@tools/check

bench: setup ## measure side by side with a bare loop
	@.venv/bin/python -m bench $(ARGUMENTS)

lock: setup ## resolve the dependencies anew into the locks
	@tools/lock $(ARGUMENTS)

generate: setup ## write every generated file again
	@.venv/bin/python -m tools.generated

secrets: ## make the missing secrets of the containers under secrets/
	@tools/secrets

clean: ## remove the environment and everything that tools left behind
	@rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
