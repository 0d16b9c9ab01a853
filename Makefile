# Assay. `make demo` and `make test` need nothing but a Debian machine.

CC       ?= gcc
VARIANT  ?= release
B        := build/$(VARIANT)
VERSION  := $(shell cat VERSION)
PREFIX   ?= /usr/local

WARN := -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wvla -Wcast-qual \
        -Wundef -Wformat=2 -Wswitch-enum -Wstrict-prototypes -Wmissing-prototypes
ifdef CI
WARN += -Werror
endif
BASE := -std=c11 -D_GNU_SOURCE -Iinclude -Isrc -DASSAY_VERSION='"$(VERSION)"' -ffp-contract=off -pthread
OPT_release := -O2 -g
OPT_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT_tsan    := -O1 -g -fsanitize=thread
OPT_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
FLAGS := $(BASE) $(WARN) $(OPT_$(VARIANT)) $(CFLAGS)
LIBS  := -lcrypto -lyaml -lz -lm

SRC  := $(sort $(wildcard src/*/*.c))
LIB  := $(patsubst src/%.c,$(B)/src/%.o,$(filter-out src/cli/main.c,$(SRC)))
UNIT := $(patsubst tests/unit/%.c,$(B)/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
SUPPORT := $(patsubst tests/support/%.c,$(B)/support/%.o,$(sort $(wildcard tests/support/*.c)))

.PHONY: all check test clean
all: $(B)/assay

$(B)/flags: FORCE
	@mkdir -p $(B)
	@echo '$(CC) $(FLAGS)' | cmp -s - $@ || echo '$(CC) $(FLAGS)' > $@
FORCE:

$(B)/src/%.o: src/%.c $(B)/flags
	@mkdir -p $(@D)
	$(CC) $(FLAGS) -MMD -MP -c -o $@ $<
$(B)/support/%.o: tests/support/%.c $(B)/flags
	@mkdir -p $(@D)
	$(CC) $(FLAGS) -Itests -MMD -MP -c -o $@ $<
$(B)/libassay.a: $(LIB)
	@rm -f $@
	ar rcs $@ $^
$(B)/assay: $(B)/src/cli/main.o $(B)/libassay.a
	$(CC) $(FLAGS) -o $@ $^ $(LIBS)
$(B)/unit/%: tests/unit/%.c $(SUPPORT) $(B)/libassay.a $(B)/flags
	@mkdir -p $(@D)
	$(CC) $(FLAGS) -Itests -MMD -MP -o $@ $< $(SUPPORT) $(B)/libassay.a -lcmocka -lcjson $(LIBS)

check: $(UNIT)
	@for t in $(UNIT); do $$t || exit 1; done
test: check

clean:
	rm -rf build
-include $(LIB:.o=.d) $(SUPPORT:.o=.d) $(addsuffix .d,$(UNIT)) $(B)/src/cli/main.d
