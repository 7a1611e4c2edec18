# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A thin layer over meson and the scripts under test/: the few things that people type.
#
#   make          build luod in build/
#   make check    all tests, those in the virtual machine included; TESTS="a b" runs only these
#   make check-long   the same, and all that is slow or needs further kernels
#   make demo     watch a memfd survive a kernel update in a virtual machine
#   make install  as meson does it; DESTDIR counts

.PHONY: all deps check check-long demo install clean

all: build/build.ninja
	meson compile -C build

build/build.ninja:
	scripts/deps
	meson setup --prefix=/usr build

deps:
	scripts/deps

check:
	test/check $(TESTS)

check-long:
	test/check --long $(TESTS)

demo:
	test/vm/demo

install: all
	meson install -C build

clean:
	rm -rf build build-*
