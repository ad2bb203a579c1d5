# Every task of the project is a target here; CMake does the building, one folder per kind under build/.
SHELL := /bin/bash
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
GENERATOR := $(if $(shell command -v ninja),-G Ninja)
CLANG := $(shell command -v clang++)
BUILD := cmake --build

BUILD_DEPS := g++ make cmake ninja-build pkg-config ccache lld libuv1-dev libjemalloc-dev libluajit-5.1-dev \
  liblz4-dev libzstd-dev liblzf-dev libssl-dev libcli11-dev libxxhash-dev libhiredis-dev doctest-dev
# Some builds of nodejs bring npm along.
TEST_DEPS := clang libclang-rt-dev redis-server redis-tools tcl tcl-tls python3 openssl procps \
  python3-redis ruby ruby-redis $(if $(shell command -v npm),,nodejs npm)

.PHONY: release debug asan tsan run test unit bench bench-quick tidy headers format tcl soak install clean deps test-deps

release:
	@cmake -S . -B build/release $(GENERATOR) -DCMAKE_BUILD_TYPE=Release -DSYNAP_LTO=ON $(CMAKE_ARGS) > build/release.configure 2>&1 \
	  || { cat build/release.configure; exit 1; }
	@$(BUILD) build/release -j $(JOBS)

debug:
	@cmake -S . -B build/debug $(GENERATOR) -DCMAKE_BUILD_TYPE=Debug -DSYNAP_DEBUG_CHECKS=ON > build/debug.configure 2>&1 \
	  || { cat build/debug.configure; exit 1; }
	@$(BUILD) build/debug -j $(JOBS)

# With clang this is also the build of the fuzz targets, and the proof that clang compiles the server and its unit tests.
asan:
	@cmake -S . -B build/asan $(GENERATOR) -DSYNAP_SANITIZE=address \
	  $(if $(CLANG),-DCMAKE_CXX_COMPILER=$(CLANG) -DSYNAP_FUZZ=ON) > build/asan.configure 2>&1 \
	  || { cat build/asan.configure; exit 1; }
	@$(BUILD) build/asan -j $(JOBS)

tsan:
	@cmake -S . -B build/tsan $(GENERATOR) -DSYNAP_SANITIZE=thread > build/tsan.configure 2>&1 \
	  || { cat build/tsan.configure; exit 1; }
	@$(BUILD) build/tsan -j $(JOBS)

release debug asan tsan: | build
build:
	@mkdir -p build

# apt-get runs only for packages that dpkg does not know as installed.
define install_missing
	@missing=$$(for p in $(1); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	if [ -n "$$missing" ]; then sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  echo "installing: $$missing"; export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1; \
	  $$sudo apt-get install -y -qq --no-install-recommends $$missing > /dev/null 2>&1 || \
	  { $$sudo apt-get update -qq && $$sudo apt-get install -y -qq --no-install-recommends $$missing > /dev/null; }; fi
endef

deps:
	$(call install_missing,$(BUILD_DEPS))

test-deps: deps
	$(call install_missing,$(TEST_DEPS))

# A second make sees the tools that deps has just installed.
run: deps
	@$(MAKE) --no-print-directory release
	@exec build/release/synap-server conf/synap.conf

test: test-deps
	@exec tests/run.py

unit: release
	@build/release/synap-unit-tests

bench: test-deps
	@$(MAKE) --no-print-directory release
	@exec bench/run.py

bench-quick: release
	@exec bench/run.py --quick

tidy:
	@exec tests/tidy.py

# Each header must compile alone.
headers:
	@find server protocol datatypes scripting persistence replication -name '*.h' | sort | xargs -P $(JOBS) -I{} \
	  sh -c 'g++ -std=c++20 -fsyntax-only -I. -I/usr/include/luajit-2.1 -I/usr/include/liblzf -x c++ {} -include {} \
	  || { echo "not self-contained: {}"; exit 255; }'

format:
	@find server protocol datatypes scripting persistence replication tests bench -name '*.cc' -o -name '*.h' \
	  | xargs clang-format -i

tcl: release
	@exec tcl-compat/run

# 500 crashes, then random commands under ASan for an hour (SOAK_SECONDS=n for another time), a new seed each round.
soak: release asan
	@tests/run.py
	@tests/crash/crash.py --rounds $(or $(SOAK_CRASHES),500)
	@exec tests/fuzz/server_fuzz.py --binary build/asan/synap-server --seconds $(or $(SOAK_SECONDS),3600) --seed random

install: release
	install -D -m 755 build/release/synap-server $(DESTDIR)$(PREFIX)/bin/synap-server
	test -e $(DESTDIR)/etc/synap/synap.conf || install -D -m 644 conf/synap.conf $(DESTDIR)/etc/synap/synap.conf
	sed 's|@PREFIX@|$(PREFIX)|' conf/synap.service | install -D -m 644 /dev/stdin $(DESTDIR)/lib/systemd/system/synap.service

clean:
	rm -rf build
