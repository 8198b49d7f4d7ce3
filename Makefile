# Every target does its whole set-up: it needs only Python and make.
#   make demo    train on the phantom and show results
#   make test    lint, types, import contract and tests
#   make test-label    the tests of the app for MONAI Label, in a virtual environment of their own
# TORCH is the PyTorch to install, for example TORCH=torch==2.13.0; JOBS is the number of test processes.
PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch
JOBS ?= 2

BIN := $(VENV)/bin
LABEL := $(VENV)-label
PYTEST := -m pytest --numprocesses $(JOBS)

# One thread in each test process: together they have the cores, and none takes another's.
test test-label test-lower-bounds: export OMP_NUM_THREADS = 1

.PHONY: demo test test-label lint docs test-lower-bounds clean
.NOTPARALLEL:

demo: $(VENV)/.installed
	$(BIN)/python -m monai.bundle run training --config_file bundles/gu2net/configs/train.json
	$(BIN)/python -m monai_gu2net predict bundles/gu2net/output/phantom/hand --domain hand \
	    --checkpoint bundles/gu2net/output/model.pt --output-dir bundles/gu2net/output/prediction
	@echo "Results: bundles/gu2net/output/report/report.md, learning_curve.png and prediction/ beside it"

test: lint $(VENV)/.installed-test
	$(BIN)/python $(PYTEST)

# Each file's servers start once: a file stays with one process.
test-label: $(LABEL)/.installed
	$(LABEL)/bin/python $(PYTEST) --dist loadfile tests/label_app \
		tests/dicom/test_empty_tags.py tests/dicom/test_native_pixels.py tests/dicom/test_padding.py

lint: $(VENV)/.installed-lint
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.installed-docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

# The oldest release of each requirement but PyTorch, and of the extra "dicom" (whose pydicom is newer than the core's, which
# the tests of MONAI Label have); their own warnings about newer Pythons are no errors.
test-lower-bounds: LOWEST := $(VENV)-lowest
test-lower-bounds:
	$(PYTHON) -m venv --clear $(LOWEST)
	sed -n '/^install_requires/,/^$$/ { /torch>=/d; /pydicom>=/d; s/>=/==/p; }; /^dicom =/,/^#/ s/>=/==/p' setup.cfg > $(LOWEST)/constraints.txt
	$(LOWEST)/bin/pip install "$(TORCH)"
	$(LOWEST)/bin/pip install --constraint $(LOWEST)/constraints.txt --editable ".[test]"
	$(LOWEST)/bin/python $(PYTEST) -W default

clean:
	rm -rf $(VENV) $(LABEL) $(VENV)-lowest build docs/_build *.egg-info .*_cache .hypothesis

# Set-up happens once, and again when the requirements change.
$(VENV)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install "$(TORCH)"
	$(BIN)/pip install --editable .
	touch $@

$(VENV)/.installed-%: $(VENV)/.installed
	$(BIN)/pip install --editable ".[$*]"
	touch $@

# MONAI Label builds numpymaxflow with the packages that are there, hence setuptools, wheel and no isolation. The PyTorch
# chosen stays: torchvision comes from an index of another kind (CPU, CUDA) and must not bring its own.
$(LABEL)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(LABEL)
	$(LABEL)/bin/pip install "$(TORCH)" "setuptools>=77,<81" wheel
	$(LABEL)/bin/pip list --format=freeze | grep "^torch==" > $(LABEL)/constraints.txt
	$(LABEL)/bin/pip install --no-build-isolation --constraint $(LABEL)/constraints.txt --editable ".[label,pytest]"
	touch $@
