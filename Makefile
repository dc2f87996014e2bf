# Posthorn. `make help` lists the targets.
#
# VARIANT chooses the build: release (default), asan (AddressSanitizer and UBSan), tsan (ThreadSanitizer), fuzz (clang's
# libFuzzer with both of the first). Each has its own folder build/$(VARIANT).

VARIANT ?= release
OUT     := build/$(VARIANT)
CC      ?= gcc
ifeq ($(origin CC),default)
CC      := gcc
endif

WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
ifeq ($(VARIANT),fuzz)
CC      := clang
WARN    := # gcc judges
endif
CFLAGS_release := -O2 -g
CFLAGS_asan    := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined -DPH_ARENA_MALLOC=1
CFLAGS_tsan    := -O1 -g -fno-omit-frame-pointer -fsanitize=thread -DPH_ARENA_MALLOC=1
CFLAGS_fuzz    := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -DPH_ARENA_MALLOC=1
CFLAGS  := -std=c11 -D_GNU_SOURCE -DH2O_USE_LIBUV=0 $(WARN) $(CFLAGS_$(VARIANT)) -Iinclude -Iserver -I$(OUT)/gen \
           $(shell pkg-config --cflags libpq jansson libsodium libcares 2>/dev/null)
LDLIBS  := -lh2o-evloop -lssl -lcrypto -lpq -ljansson -lyaml -lsodium -lcares -lcurl -lpthread -lm

GEN     := $(OUT)/gen/sql.h $(OUT)/gen/migrations.c
SRC     := $(filter-out server/main.c,$(wildcard server/*/*.c))
WEBSRC  := $(shell find web -name node_modules -prune -o -type f -print)
OBJ     := $(SRC:server/%.c=$(OUT)/%.o) $(OUT)/gen/migrations.o $(OUT)/gen/openapi.o
TESTS   := $(wildcard tests/unit/*/*_test.c)
TESTBIN := $(TESTS:%.c=$(OUT)/%)
STORETESTS := $(wildcard tests/store/*_test.c)
STOREBIN := $(STORETESTS:%.c=$(OUT)/%)
BENCHBIN := $(patsubst tests/bench/%.c,build/bench/%,$(wildcard tests/bench/*.c))
FUZZBIN := $(patsubst tests/fuzz/%.c,$(OUT)/%,$(wildcard tests/fuzz/*_fuzz.c))

.PHONY: help build deps run test unit unit-programs store store-programs fuzz-targets bench-programs lint bench asan tsan fuzz format clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## install what is missing (Debian packages, Python and npm test dependencies)
	@ops/install-deps

build: $(OUT)/posthorn ## compile build/$(VARIANT)/posthorn

run: deps ## build, start a private PostgreSQL and the server, print address, key and a first request
	@$(MAKE) --no-print-directory build
	@exec $(OUT)/posthorn dev

test: deps ## build and run every suite
	@tests/run

unit: $(TESTBIN) ## unit tests of this variant
	@for t in $(TESTBIN); do $$t || exit 1; done

unit-programs: $(TESTBIN)

store: $(STOREBIN) ## tests against a throw-away PostgreSQL
	@tests/store/run $(STOREBIN)

store-programs: $(STOREBIN)

fuzz-targets: $(FUZZBIN)

bench-programs: $(BENCHBIN)

asan: deps ## the suites under AddressSanitizer and UBSan
	@tests/run asan

tsan: deps ## the threaded suites under ThreadSanitizer
	@tests/run tsan

fuzz: deps ## every parser under libFuzzer for a short while
	@tests/run fuzz

lint: deps ## format, layers, banned functions, generated tables, statements, compose file
	@tests/run lint

bench: deps ## throughput, latency and CPU per delivery beside the floor of this machine
	@tests/bench/run $(if $(RUNS),--runs $(RUNS)) $(if $(KEYED),--keyed)

format: ## format the sources
	@clang-format -i $$(git ls-files -co --exclude-standard '*.c' '*.h')
	@cd web && ./node node_modules/prettier/bin/prettier.cjs --write --log-level warn src *.ts *.html

clean: ## remove build output (not var/)
	@rm -rf build

$(OUT)/posthorn: $(OUT)/main.o $(OUT)/web.o $(OUT)/libposthorn.a
	@echo "  LD $@"
	@$(CC) $(CFLAGS) -rdynamic -o $@ $(OUT)/main.o $(OUT)/web.o $(OUT)/libposthorn.a $(LDLIBS)

$(OUT)/libposthorn.a: $(OBJ)
	@rm -f $@
	@ar rcs $@ $(OBJ)

$(OUT)/web.o: build/web/files.c
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) -c -o $@ $<

# Only the program has the web files; the library, and so every test program, does without.
build/web/files.c: web/node_modules/.made-from $(WEBSRC)
	@echo "  WEB $@"
	@web/build

build/web/schema.d.ts: $(wildcard server/api/openapi/*.json) server/api/openapi/generate web/node_modules/.made-from
	@mkdir -p $(@D)
	@server/api/openapi/generate server/api/openapi/*.json > build/web/openapi.json
	@web/node web/node_modules/openapi-typescript/bin/cli.js build/web/openapi.json --default-non-nullable false -o $@ > build/web/schema.log || { cat build/web/schema.log; false; }

NPM_CI  := ci --ignore-scripts --no-audit --no-fund --loglevel=error

web/node_modules/.made-from: web/package-lock.json web/runtime/node_modules/.made-from
	@cmp -s $< $@ || { echo "  NPM $(@D)"; cd web && ./node runtime/node_modules/npm/bin/npm-cli.js $(NPM_CI); }
	@cp $< $@

# Only this is installed by the system's npm.
web/runtime/node_modules/.made-from: web/runtime/package-lock.json
	@cmp -s $< $@ || { echo "  NPM $(@D)"; cd web/runtime && npm $(NPM_CI); }
	@cp $< $@

$(OUT)/%.o: server/%.c | $(GEN)
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(OUT)/gen/%.o: $(OUT)/gen/%.c
	@$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(OUT)/gen/sql.h: $(wildcard server/sql/*.sql) server/sql/generate server/sql/expand
	@mkdir -p $(@D)
	@server/sql/generate server/sql/*.sql > $@.tmp && mv $@.tmp $@

$(OUT)/gen/migrations.c: $(wildcard migrations/*.sql) migrations/generate
	@mkdir -p $(@D)
	@migrations/generate migrations/*.sql > $@.tmp && mv $@.tmp $@

$(OUT)/gen/openapi.c: $(wildcard server/api/openapi/*.json) server/api/openapi/generate
	@mkdir -p $(@D)
	@server/api/openapi/generate --c server/api/openapi/*.json > $@.tmp && mv $@.tmp $@

$(OUT)/tests/unit/%: tests/unit/%.c $(OUT)/libposthorn.a
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CFLAGS) -MMD -MP -o $@ $< $(OUT)/libposthorn.a -lcmocka $(LDLIBS)

$(OUT)/tests/store/%: tests/store/%.c $(OUT)/libposthorn.a
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CFLAGS) -MMD -MP -o $@ $< $(OUT)/libposthorn.a -lcmocka $(LDLIBS)

$(OUT)/%_fuzz: tests/fuzz/%_fuzz.c $(OUT)/libposthorn.a
	@echo "  CC $<"
	@$(CC) $(CFLAGS) -fsanitize=fuzzer -MMD -MP -o $@ $< $(OUT)/libposthorn.a $(LDLIBS)

build/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) -o $@ $< -lh2o-evloop -lssl -lcrypto -lpq

-include $(OBJ:.o=.d) $(OUT)/main.d $(TESTBIN:=.d) $(STOREBIN:=.d) $(FUZZBIN:=.d)
