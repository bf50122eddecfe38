# `make book` and `make test` set everything up, then run; `make help` lists the rest.

PYTHON ?= python3
# Where torch comes from when it is not pip's own index. On Linux without a GPU this saves gigabytes:
#   make book TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=

# One thread a process: where cores are shared, torch with more slows down badly.
export OMP_NUM_THREADS ?= 1

# glibc hands freed memory back after every batch and fetches it again; keeping it saves a quarter of
# the time of asking.
export MALLOC_MMAP_THRESHOLD_ ?= 1073741824
export MALLOC_TRIM_THRESHOLD_ ?= 4294967296

# Tests hold the packed scores against the original files, where a copy lies beside the checkout.
SCORES := $(firstword $(wildcard ../*/data/paper/ans_gemma_train_formal.csv))
ifneq ($(SCORES),)
export VALUEGRAPH_DATA ?= $(abspath $(dir $(SCORES))/..)
endif

# A benchmark has the machine to itself.
CORES ?= $(shell $(PYTHON) -c 'import os; print(os.cpu_count())')

# Processes that test at a time; each takes up to 2 GB.
TESTERS ?= $(shell $(PYTHON) -c 'import os; print(min(4, os.cpu_count()))')

BIN := .venv/bin
READY := .venv/.installed
CHECKS := .venv/.checks
LIBRARY := $(shell find lib/valuegraph studies book/support -type f ! -path '*/__pycache__/*')

.PHONY: help setup book check-book pdf editions course grade test oldest foreign faults mutants lint format \
    house notebooks emblem organisms bench bench-gpu audit colab colab-versions dist check clean distclean
.DEFAULT_GOAL := help

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY)  ## virtual environment in .venv, the pinned packages, `dot`

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or \
	    sys.exit("Python 3.11 or newer is needed; name it: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(if $(TORCH_INDEX),$(BIN)/pip install -c constraints.txt --index-url $(TORCH_INDEX) torch)
	$(BIN)/pip install --disable-pip-version-check -c constraints.txt -e '.[book,course,test]'
	@sh scripts/ensure_program.sh dot graphviz graphviz \
	    "graphs are drawn by the library's own layout."
	@touch $@

# With ipywidgets, bars of progress are widgets, of which a page would keep the last words.
book: export HF_HUB_DISABLE_PROGRESS_BARS = 1
# Chapters that ask Gemma where it can be had ask an organism here, whoever builds the book.
book: export HF_HUB_OFFLINE = 1
book: $(READY) _build/.library  ## run every page and write the book to _build/html
	$(BIN)/python scripts/run_pages.py _build/.jupyter_cache
	$(BIN)/jupyter-book build . -n -W --keep-going
	@echo "Open $(CURDIR)/_build/html/index.html"

# A page's results are cached by the page's own text, so a changed library starts afresh.
_build/.library: $(READY) $(LIBRARY)
	@rm -rf _build && mkdir _build && touch $@

check-book: book $(CHECKS)  ## open every built page in a browser: formulas, sliders, contrast, links; spelling
	$(BIN)/pytest checks

pdf: book $(CHECKS)  ## the book as one PDF for paper, in _build/pdf
	$(BIN)/python scripts/make_pdf.py

$(CHECKS): $(READY)
	$(BIN)/pip install --disable-pip-version-check -c constraints.txt -e '.[check]'
	@sh scripts/ensure_program.sh chromium chromium "--cask chromium" "the pages are not opened."
	@sh scripts/ensure_program.sh hunspell "hunspell hunspell-en-gb" hunspell \
	    "the spelling is not looked at."
	@touch $@

editions: $(READY)  ## the chapters as plain notebooks for Colab, in build/editions
	$(BIN)/python scripts/make_editions.py

course: book editions  ## slides, and bundles for students and teachers, in build/course and dist
	$(BIN)/python scripts/make_course.py

grade: $(READY)  ## grade the notebooks below FOLDER=..., one row an exercise, into grades.csv
	@test -n "$(FOLDER)" || { echo "say whose: make grade FOLDER=submissions"; exit 1; }
	$(BIN)/python -m book_support.grading "$(FOLDER)" --out grades.csv

test: export HF_HUB_OFFLINE = 1
test: lint  ## ruff, every test, every notebook
	$(BIN)/pytest -n $(TESTERS) --dist loadgroup tests

# Chapters keep to the pinned versions: their numbers are frozen.
oldest: export HF_HUB_OFFLINE = 1
oldest: $(READY)  ## the tests but for the pages, with the oldest versions that pyproject.toml allows
	$(PYTHON) -m venv --clear build/oldest
	build/oldest/bin/pip install --quiet uv
	build/oldest/bin/uv pip compile --quiet --resolution lowest-direct --extra test --extra book --extra course pyproject.toml \
	    --output-file build/oldest/versions.txt
	build/oldest/bin/pip install --quiet -r build/oldest/versions.txt
	build/oldest/bin/pip install --quiet --no-deps -e .
	build/oldest/bin/pytest -n $(TESTERS) --dist loadgroup tests --ignore tests/test_pages.py

foreign: export HF_HUB_OFFLINE = 1
foreign: $(READY)  ## run chapters 01 to 06 and 08 with models they were not written for; MODELS="folder name"
	$(BIN)/python checks/foreign.py --quiet $(MODELS)

# A tenth of them are made by `make test`.
faults: export HF_HUB_OFFLINE = 1
faults: $(READY)  ## attack runs, files and arguments: kills, full disks, flipped bits, bad input; SEED=0
	$(BIN)/python checks/faults.py --seed $(or $(SEED),0)

# It takes long; what no test could notice is listed with the reason in checks/mutants.txt.
mutants: export HF_HUB_OFFLINE = 1
mutants: $(READY)  ## change the code in one place at a time: the tests have to notice; MODULES="metrics acting"
	$(BIN)/python checks/mutants.py $(MODULES)

lint: $(READY)  ## ruff
	$(BIN)/ruff check .

format: $(READY)  ## let ruff lay out the code and sort the imports
	$(BIN)/ruff format lib studies book/support tests checks scripts benchmarks
	$(BIN)/ruff check --fix .

notebooks: $(READY)  ## strip outputs and write the repository's address into the Colab cells
	$(BIN)/nbstripout book/*.ipynb notebooks/*.ipynb
	$(BIN)/python scripts/set_repository.py

emblem: $(READY)  ## draw the icon and the social card of the book
	$(BIN)/python scripts/draw_emblem.py

organisms: $(READY)  ## train the shipped organisms afresh (it resumes), measure them, write their cards
	$(BIN)/valuegraph-studies organism train --scm human --out build/organisms/human
	$(BIN)/valuegraph-studies organism train --scm alien --out build/organisms/alien
	$(BIN)/valuegraph-studies organism train --scm human --plain --out build/organisms/plain
	$(BIN)/valuegraph-studies organism train --scm surface --out build/organisms/surface
	cp -R build/organisms/. lib/valuegraph/data/organisms
	set -e; for name in human alien plain surface; do figures=build/figures/$$name.json; \
	    $(BIN)/valuegraph-studies organism check organism-$$name --json $$figures; \
	    $(BIN)/valuegraph-studies organism card organism-$$name --figures $$figures; done

house:  ## the size of the library: code lines, files, names, import cycles
	@$(BIN)/python scripts/measure_house.py

bench: $(READY)  ## speed of asking, beside the paper's protocol (for the book), and of steering
	OMP_NUM_THREADS=$(CORES) $(BIN)/python benchmarks/elicitation.py --json book/measured/cpu.json
	$(BIN)/python benchmarks/speed_page.py
	$(BIN)/python benchmarks/steering.py --json build/steering.json

bench-gpu: $(READY)  ## the same on a GPU, with the true shapes of three models; figures go to the book
	$(BIN)/python benchmarks/gpu.py --json book/measured/gpu.json
	$(BIN)/python benchmarks/speed_page.py

# Known holes need the network; licences, secrets and pickles do not, once the tools are there.
audit: $(READY)  ## known holes and licences of the pinned packages; secrets and pickles in the repository
	test -x build/audit/bin/pip-audit || { $(PYTHON) -m venv build/audit && \
	    build/audit/bin/pip install -q pip-audit pip-licenses detect-secrets; }
	build/audit/bin/pip-licenses --python=$(BIN)/python --format=csv --output-file=build/licences.csv
	@! git ls-files | grep -E '\.(pkl|pickle|pt|pth|bin|joblib)$$' || { echo "pickles are tracked"; exit 1; }
	git ls-files -z | xargs -0 build/audit/bin/detect-secrets-hook --no-verify \
	    --disable-plugin HexHighEntropyString --disable-plugin Base64HighEntropyString  # hashes are no secrets
	build/audit/bin/pip-audit --disable-pip --no-deps -r constraints.txt

# Colab has its own Python and torch: nothing is pinned, and the package comes from git as there.
colab:  ## run the student editions as Colab would: newest packages, PYTHON=python3.13
	$(PYTHON) -m venv --clear build/colab
	build/colab/bin/pip install --disable-pip-version-check ipykernel nbmake pybtex pytest pyyaml \
	    $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) git+file://$(CURDIR)
	build/colab/bin/python scripts/make_editions.py
	build/colab/bin/pytest -c /dev/null --rootdir=. --nbmake --nbmake-timeout=1200 build/editions/student

# As constraints, Colab's versions turn every wish for another one into an error.
COLAB_VERSIONS := tests/fixtures/colab_versions.txt
colab-versions:  ## install over the versions that Colab had, PYTHON=python3.12, and import everything
	$(PYTHON) -m venv --clear build/colab-versions
	build/colab-versions/bin/pip install --disable-pip-version-check -c $(COLAB_VERSIONS) \
	    $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) git+file://$(CURDIR)
	cd build && colab-versions/bin/python ../scripts/import_all.py valuegraph studies book_support

dist: $(READY)  ## the package as a wheel, and the built book as one archive and as PDF, in dist/
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	$(if $(wildcard _build/html),tar -C _build -czf dist/book.tar.gz html)
	$(if $(wildcard _build/pdf),cp _build/pdf/*.pdf dist)

check: test check-book  ## everything: tests, book, checks of the book

clean:  ## remove what was built
	rm -rf _build build dist .pytest_cache .ruff_cache

distclean: clean  ## remove the virtual environment too
	rm -rf .venv lib/*.egg-info
