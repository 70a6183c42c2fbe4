# make study   both digit sets, a tenth of the paper's models, with report (about a minute)
# make test    lint, types, tests
# make bench   the benchmarks of docs/benchmarks.md
# make paper   both full studies into docs/results/
# make circuits  their best networks as circuits, after make paper
# make fits    the worked examples' figures into docs/results/fits/
# make sanitize  the native kernels' tests under the address and undefined-behaviour sanitizers
# make bare    make study and make test in a bare Debian 12 under build/; needs root and debootstrap
# make wheel   a wheel in dist/

VENV := .venv
PYTHON := $(VENV)/bin/python
SOURCES := pyproject.toml CMakeLists.txt $(wildcard src/fewlevels/_native/*/*)

.PHONY: study test lint bench paper circuits fits bare sanitize wheel clean

study: $(VENV)/installed
	$(VENV)/bin/fewlevels study --preset quick --dataset digits5 --out studies/digits5
	$(VENV)/bin/fewlevels study --preset quick --dataset digits7 --out studies/digits7
	@echo
	@echo "Reports: $(CURDIR)/studies/digits5/report.html"
	@echo "         $(CURDIR)/studies/digits7/report.html"

test: lint
	$(PYTHON) -m pytest -n 2 --dist worksteal

lint: $(VENV)/developing
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

bench: $(VENV)/developing
	$(PYTHON) benchmarks/training.py
	$(PYTHON) benchmarks/levels.py
	$(PYTHON) benchmarks/circuit.py
	$(PYTHON) benchmarks/yields.py
	$(PYTHON) benchmarks/scale.py

paper: $(VENV)/installed
	$(PYTHON) tools/full_studies.py

circuits: $(VENV)/installed
	$(PYTHON) tools/circuit_results.py

fits: $(VENV)/installed
	mkdir -p studies/fits
	cd studies/fits && for example in ../../examples/*.sh; do PATH=$(CURDIR)/$(VENV)/bin:$$PATH sh $$example || exit 1; done
	for fit in taox wan wan_finetuned; do cp studies/fits/$$fit/figures/fit.png docs/results/fits/$$fit.png; done

sanitize:
	tools/sanitize

bare:
	tools/bare build/bare

wheel: $(VENV)/developing
	$(PYTHON) -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) build dist

$(VENV)/installed: $(SOURCES) tools/environment
	tools/environment $(VENV)
	@touch $@

$(VENV)/developing: $(VENV)/installed
	$(PYTHON) -m pip install --quiet --group dev
	@touch $@

# PyTorch and Keras, for the tests and examples that compare with them; without these they are skipped.
$(VENV)/frameworks: $(VENV)/developing
	$(PYTHON) -m pip install --quiet --group frameworks
	@touch $@
