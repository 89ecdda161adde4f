# SPDX-License-Identifier: LGPL-2.1-or-later
# A thin front for meson. `make demo` and `make check` do everything on a fresh Debian 12, set-up included.

BUILD ?= build
PREFIX ?= /usr
DESTDIR ?=

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@tools/setup build
	@meson setup $(BUILD) --prefix $(PREFIX) >/dev/null

demo: all
	@tools/setup demo
	@tools/demo $(BUILD)

check:
	@tools/setup build check lab
	@tools/check

check-lab:
	@tools/setup build check lab-all
	@tools/check --only build,lab-all,records-all

bench: all
	@tools/setup bench
	@bench/run

# A build of its own with optimisation, so that neither the tests' build nor its options end up installed.
install:
	@tools/setup build
	@[ -f build-install/build.ninja ] || meson setup build-install --prefix $(PREFIX) --buildtype release -Dtests=false >/dev/null
	@meson configure build-install --prefix $(PREFIX)
	@ninja -C build-install
	@$(if $(DESTDIR),DESTDIR="$(abspath $(DESTDIR))") meson install -C build-install --no-rebuild

format:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	@rm -rf build build-*

.PHONY: all demo check check-lab bench install format clean
