# Assay. `make demo` and `make test` need nothing but a Debian 12 machine.
# VARIANT=release|asan|tsan|fuzz chooses flags; each builds in build/VARIANT.

ifeq ($(origin CC),default)
CC := gcc
endif
VARIANT ?= release
PREFIX  ?= /usr/local
VERSION := $(shell cat VERSION)
B       := build/$(VARIANT)
export CONFORMANCE ?= $(abspath ../shared/conformance)

WARN := -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wvla -Wcast-qual \
        -Wundef -Wformat=2 -Wswitch-enum -Wstrict-prototypes -Wmissing-prototypes
ifdef CI
WARN += -Werror
endif
# -ffp-contract=off and no -march: the same bits on every machine.
BASE := -std=c11 -D_GNU_SOURCE -Iinclude -Isrc -pthread -ffp-contract=off -fstack-protector-strong
OPT_release := -O2 -g -D_FORTIFY_SOURCE=2
OPT_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT_tsan    := -O1 -g -fsanitize=thread
OPT_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
ifeq ($(VARIANT),fuzz)
CC := clang
endif
FLAGS = $(BASE) $(WARN) $(OPT_$(VARIANT)) $(CFLAGS) -DASSAY_VERSION='"$(VERSION)"'
LIBS := -levent_openssl -levent -lssl -lcrypto -lcurl -lsqlite3 -lyaml -lz -lm

programs = $(patsubst tests/$(1)/%.c,$(B)/$(1)/%,$(sort $(wildcard tests/$(1)/$(2)*.c)))
SRC  := $(sort $(wildcard src/*/*.c src/*/*/*.c))
LIB  := $(patsubst %.c,$(B)/%.o,$(filter-out src/cli/main.c src/verifier/main.c,$(SRC)))
SUPPORT := $(patsubst %.c,$(B)/%.o,$(sort $(wildcard tests/support/*.c)))
UNIT  := $(call programs,unit,test_)
REAL  := $(call programs,conformance,)
MAKER := $(call programs,fixtures/make,)
BENCH := $(call programs,bench,bench_)
FUZZ  := $(call programs,fuzz,fuzz_)

.PHONY: all check test conformance asan tsan fuzz fuzz-replay bench lint demo deps \
        golden-update examples contradictions techniques install dist clean units verifier bundled-data bundled-model \
        bundled-report FORCE

all: $(B)/assay $(B)/assay.1

# ---- building ----------------------------------------------------------

# A line a file; V=1 shows whole commands, -s nothing.
silent := $(findstring s,$(firstword -$(MAKEFLAGS)))
say = $(if $(V),,@$(if $(silent),,printf '  %-6s%s\n' $(1) $@ && ))

# Objects depend on the flags they were compiled with.
$(B)/flags: FORCE
	@mkdir -p $(B)
	@printf '%s\n' "$(CC) $(subst ",\",$(FLAGS))" | cmp -s - $@ || printf '%s\n' "$(CC) $(subst ",\",$(FLAGS))" > $@

# Kernels are loops over lanes; these change how fast, never what, they compute. With sanitizers
# -O3 would take a minute of compiling for some files.
$(B)/src/numerics/%.o: KERNELS := $(if $(filter release,$(VARIANT)),-O3) -fno-math-errno -fno-trapping-math
$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(FLAGS) $(KERNELS) -Itests -MMD -MP -c -o $@ $<
# Schemas and templates become part of the program.
EMBED := $(sort $(wildcard schema/*.sql schema/frameworks/*.yaml reports/templates/*))
$(B)/embed: tools/embed.c $(B)/flags
	$(call say,CC)$(CC) $(BASE) $(WARN) -O1 -o $@ $<
$(B)/embedded.c: $(B)/embed $(EMBED)
	@$< $(EMBED) > $@.new && mv $@.new $@
$(B)/embedded.o: $(B)/embedded.c
	$(call say,CC)$(CC) $(FLAGS) -c -o $@ $<
$(B)/libassay.a: $(LIB) $(B)/embedded.o
	$(call say,AR)rm -f $@ && ar rcs $@ $^
$(B)/libsupport.a: $(SUPPORT)
	$(call say,AR)rm -f $@ && ar rcs $@ $^
$(B)/assay: $(B)/src/cli/main.o $(B)/libassay.a
	$(call say,LD)$(CC) $(FLAGS) -o $@ $^ $(LIBS)
# The auditor's program: neither the database nor the model readers are in it.
VERIFIER := $(patsubst %.c,$(B)/%.o,$(sort $(foreach m,base digest sign record seal verify,\
              $(wildcard src/$(m)/*.c)) src/verifier/main.c))
verifier: $(B)/assay-verify
$(B)/assay-verify: $(VERIFIER)
	$(call say,LD)$(CC) $(FLAGS) -o $@ $^ -lcrypto -lm
$(B)/assay.1: $(B)/assay
	@$< man > $@

TEST_LIBS = $(B)/libsupport.a $(B)/libassay.a -lcmocka -lcjson $(LIBS)
$(UNIT) $(REAL) $(MAKER) $(BENCH): $(B)/%: $(B)/tests/%.o $(B)/libsupport.a $(B)/libassay.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(FLAGS) -o $@ $< $(TEST_LIBS)
# Under VARIANT=fuzz libFuzzer drives the targets; otherwise a plain loop over files does.
ifeq ($(VARIANT),fuzz)
$(FUZZ): $(B)/%: $(B)/tests/%.o $(B)/libsupport.a $(B)/libassay.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(FLAGS) -fsanitize=fuzzer -o $@ $< $(TEST_LIBS)
else
$(FUZZ): $(B)/%: $(B)/tests/%.o $(B)/tests/fuzz/replay.o $(B)/libsupport.a $(B)/libassay.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(FLAGS) -o $@ $< $(B)/tests/fuzz/replay.o $(TEST_LIBS)
endif

# ---- testing -----------------------------------------------------------

units: $(UNIT) $(MAKER) $(B)/assay
	@tests/run.sh unit-$(VARIANT) $(UNIT)
check: units $(B)/corpus
	@tests/run.sh golden-$(VARIANT) "tests/golden/run.sh $(B)/assay $(B)/fixtures/make"
	@tests/run.sh examples-$(VARIANT) "reports/examples/make.sh $(B)/assay $(B)/corpus check" \
	    "reports/bundled/make.sh $(B)/assay $(B)/corpus check"
test: deps
	@$(MAKE) --no-print-directory check
# What a report says of a case for each number of the catalogue of contradictions.
contradictions: $(B)/assay $(MAKER)
	@rm -rf $(B)/contradictions && mkdir $(B)/contradictions
	@$(B)/fixtures/make/tinymodel $(B)/contradictions/models
	@$(B)/fixtures/make/calllog $(B)/contradictions/calls
	@tests/contradictions/run.sh $(abspath $(B)/assay) $(B)/contradictions/models $(B)/contradictions/calls

# The example reports, and those of the bundled model, are what this build writes.
examples: $(B)/assay $(B)/corpus
	@reports/examples/make.sh $(B)/assay $(B)/corpus
	@reports/bundled/make.sh $(B)/assay $(B)/corpus

# docs/techniques.md: techniques and what check finds of each; needs build/venv, which make conformance makes.
techniques: $(B)/assay $(MAKER)
	@for table in check_corpus check_rules; do TABLE=1 ASSAY=$(abspath $(B)/assay) BUILD=$(abspath $(B)) \
	    build/venv/bin/python tests/conformance/$$table.py || exit 1; done

golden-update: $(B)/assay $(MAKER)
	@tests/golden/run.sh $(B)/assay $(B)/fixtures/make update

asan tsan:
	@$(MAKE) --no-print-directory VARIANT=$@ check

# FUZZ_SECONDS a target; FUZZ_TARGETS="fuzz_gguf fuzz_json" chooses. Crashes land in build/fuzz/crashes.
FUZZ_SECONDS ?= 60
fuzz:
	@tools/deps.sh build fuzz
	@$(MAKE) --no-print-directory VARIANT=fuzz fuzz-targets
	@tests/fuzz/run.sh build/fuzz/fuzz $(FUZZ_SECONDS) $(FUZZ_TARGETS)
fuzz-targets: $(FUZZ)
fuzz-replay:
	@$(MAKE) --no-print-directory VARIANT=asan replay
replay: $(FUZZ)
	@tests/run.sh fuzz-replay $(foreach f,$(FUZZ),"$(f) tests/fuzz/corpus/$(patsubst fuzz_%,%,$(notdir $(f)))")

conformance: $(B)/assay $(B)/assay-verify $(REAL) $(MAKER) $(B)/corpus
	@tools/deps.sh build test conformance
	@tests/conformance/run.sh $(B)
bench: $(BENCH) $(B)/assay $(B)/corpus $(MAKER) bundled-data
	@tests/bench/run.sh $(B) $(BENCH)

lint: $(B)/assay
	@tools/deps.sh build lint
	@tools/lint.sh $(B)/assay

# ---- using -------------------------------------------------------------

deps:
	@tools/deps.sh build test
demo:
	@tools/deps.sh build
	@$(MAKE) --no-print-directory -j2 $(B)/assay demo-models bundled-data >/dev/null
	@tools/demo.sh $(B)/assay $(B)/fixtures/make "$(MODEL)"
demo-models: $(MAKER)

# The bundled model again, from its corpus on, and compared with what is committed.
$(B)/corpus: $(wildcard tools/corpus/*.[ch])
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -std=c11 $(WARN) -O1 -o $@ $(filter %.c,$^)
bundled-data: $(B)/corpus
	@$< models/bundled/data
bundled-model: $(B)/assay bundled-data
	@tools/bundled.sh $(B)/assay
# Its evaluation, samples and reports.
bundled-report: $(B)/assay $(B)/corpus
	@ASSAY=$(abspath $(B)/assay) BUILD=$(abspath $(B)) EVALUATION=reports/bundled/evaluation.md \
	    python3 tests/conformance/bundled.py
	@reports/bundled/make.sh $(B)/assay $(B)/corpus

install: all verifier
	install -D -m 755 $(B)/assay $(DESTDIR)$(PREFIX)/bin/assay
	install -D -m 755 $(B)/assay-verify $(DESTDIR)$(PREFIX)/bin/assay-verify
	install -D -m 644 $(B)/assay.1 $(DESTDIR)$(PREFIX)/share/man/man1/assay.1
	install -d $(DESTDIR)$(PREFIX)/share/assay/schema/records
	install -m 644 schema/*.json $(DESTDIR)$(PREFIX)/share/assay/schema/
	install -m 644 schema/records/*.json $(DESTDIR)$(PREFIX)/share/assay/schema/records/
dist:
	@mkdir -p build
	git archive --prefix=assay-$(VERSION)/ -o build/assay-$(VERSION).tar.gz HEAD
clean:
	rm -rf build

-include $(shell find $(B) -name '*.d' 2>/dev/null)
