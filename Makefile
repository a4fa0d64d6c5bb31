# make run    try it: the quickstart configuration, in the foreground, from this checkout
# make test   the tests and doctests
# make check  format, lint, types, shell scripts, man pages
# make docs   what is made of the code: docs/options.md, and pictures of the program at work
# make bench  time from a line to its action or ban and lines a second, beside the peers that are installed; an hour
# make torture  500,000 lines through files rotated in every way while the daemon is stopped and killed; 20 minutes
# make dist   wheel and sdist in dist/; make deb  a package for Debian there; make pyz  one file for any Python
# make clean  remove what the above made
#
# A Debian with git, make and python3-venv is enough. VENV=DIR uses another virtual environment.

VENV ?= .venv
PYTHON ?= python3

POSIX_SCRIPTS = $(shell find scripts examples etc packaging tests/packaging -name '*.sh' -o -name '*.include' -o -path '*/init.d/*' \
	-o -name 'p*inst' -o -name 'p*rm' -o -name '*.rtupdate' -o -name '*.defaults' | sort)
MAN_PAGES = $(shell find man -name '*.[1-9]' 2>/dev/null | sort)

# $(call lint,TOOL,COMMAND): run it; where the tool is missing say so and go on, but fail in CI.
lint = @if command -v $(1) >/dev/null; then $(2); \
	elif [ "$$CI" = true ]; then echo "make check: $(1) is not installed, and CI must have it" >&2; exit 1; \
	else echo "make check: skipped $(1): not installed (apt-get install $(1))"; fi

.PHONY: run test check docs bench torture dist deb pyz clean

# A clone made with umask 002 is for its group to write, and such scripts are not run.
run: $(VENV)/.installed
	mkdir -p run
	chmod go-w examples/quickstart examples/quickstart/*
# Nobody runs what somebody else may change: root, in another user's checkout, gets copies of its own.
	@folder=examples/quickstart; \
	if ! [ -O $$folder/show.sh ]; then rm -rf run/quickstart; cp -R $$folder run/; folder=run/quickstart; fi; \
	set -x; exec $(VENV)/bin/logtrigger -c $$folder/logtrigger -D 2

test: $(VENV)/.installed-dev
	@echo $(VENV)/bin/python -m pytest
	@$(VENV)/bin/python -m pytest || { status=$$?; [ -O Makefile ] || echo "make test: this checkout is another" \
		"user's, whose rules and scripts are not used: run it as that user, or as $$(id -un) in a clone of your own" >&2; exit $$status; }

check: $(VENV)/.installed-dev
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	bash -n .ci/run
	$(call lint,dash,for script in $(POSIX_SCRIPTS); do dash -n "$$script" || exit; done)
# SC2154 "referenced but not assigned": the LT_ variables come from logtrigger.
	$(call lint,shellcheck,shellcheck --exclude=SC2154 $(POSIX_SCRIPTS) .ci/run)
	$(call lint,mandoc,for page in $(MAN_PAGES); do mandoc -T lint -W warning "$$page" || exit; done)

docs: $(VENV)/.installed-dev
	$(VENV)/bin/python -m tools.options_page
	$(VENV)/bin/python -m tools.pictures
	$(VENV)/bin/python -m tools.top_picture

bench: $(VENV)/.installed-bench
	$(VENV)/bin/python bench/latency.py
	$(VENV)/bin/python -m bench.banning --write docs/performance.md
	$(VENV)/bin/python -m bench.throughput --write docs/performance.md
	$(VENV)/bin/python -m bench.library --write docs/performance.md
	$(VENV)/bin/python -m bench.receiving --write docs/performance.md
	$(VENV)/bin/python -m bench.following --write docs/performance.md

torture: $(VENV)/.installed-dev
	$(VENV)/bin/python -m tests.torture

dist: $(VENV)/.installed-dev
	$(VENV)/bin/python -m build --outdir dist

deb: $(VENV)/bin/python
	PYTHON=$(VENV)/bin/python packaging/deb/build.sh dist

pyz: $(VENV)/bin/python
	PYTHON=$(VENV)/bin/python packaging/pyz.sh dist

clean:
	rm -rf .venv run build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One virtual environment; the stamps say what it was last given, and for which pyproject.toml.
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-bench: pyproject.toml | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
# python-iptables is compiled, and not everybody has a compiler: the tests that want it are skipped then, but fail in CI.
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[iptables]' >$@.log 2>&1 \
		|| echo "make: did without python-iptables, which takes gcc, libc6-dev and python3-dev ($@.log)"
	@touch $@ $(VENV)/.installed
