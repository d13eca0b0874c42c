# SPDX-License-Identifier: GPL-2.0
#
# Two groups of targets: those that build the driver for a kernel of yours (the
# kernel's own build system does it, see Kbuild), and those that build and test
# everything in the project's own environment (tests/env). `make help` lists both.

KDIR ?= /lib/modules/$(shell uname -r)/build
RUSTFMT ?= rustfmt

kernel-make = $(MAKE) -C $(KDIR) M=$(CURDIR)

# --- The driver, for the kernel in KDIR -------------------------------------------

modules: check-kdir
	+$(kernel-make) modules

modules_install: check-kdir
	+$(kernel-make) modules_install

clippy: check-kdir
	+$(kernel-make) CLIPPY=1 modules

rust-analyzer: check-kdir
	+$(kernel-make) rust-analyzer

clean:
	@if [ -e $(KDIR)/Makefile ]; then $(kernel-make) clean; else \
		echo "nothing cleaned: there is no kernel build in $(KDIR); give KDIR=..."; fi

# The kernel's own style, from the kernel's own settings.
rustfmt-config = $(firstword $(wildcard $(KDIR)/.rustfmt.toml $(KDIR)/source/.rustfmt.toml))

rustfmt: check-kdir
	@$(RUSTFMT) --edition 2021 $(if $(rustfmt-config),--config-path $(rustfmt-config)) \
		src/bam_dmux.rs

rustfmtcheck: RUSTFMT += --check
rustfmtcheck: rustfmt

check-kdir:
	@scripts/check-kdir $(KDIR)

# --- The project's environment ----------------------------------------------------

# The run's options (see tests/env/run and tests/e2e/README.md).
export DRIVER KERNEL ARGS FUZZ_SECONDS

demo test test-full campaign defects shell:
	@tests/env/run $@

mutants:
	@tests/mutants/run $(ARGS)

fuzz:
	@tests/fuzz/run $(ARGS)

lint:
	@tests/env/lint $(CHECKS)

format:
	@tests/env/lint format

env:
	@tests/env/setup

kernels:
	@tests/env/setup kernel-base kernel-debug

modem:
	@tests/env/run modem

update-env:
	@tests/env/setup --update

clean-cache:
	@tests/env/clean

help:
	@echo 'For a kernel of yours, built with CONFIG_RUST (KDIR=<its build directory>,'
	@echo 'and ARCH= LLVM=1 as it was built with):'
	@echo '  modules          build bam_dmux.ko (the default)'
	@echo '  modules_install  install it'
	@echo '  clippy           build it with the linter'
	@echo '  rustfmt          format the sources, rustfmtcheck: only compare'
	@echo '  rust-analyzer    write rust-project.json for an editor'
	@echo '  clean            remove what was built'
	@echo
	@echo 'In the project'"'"'s own environment, which the first use sets up (needs root,'
	@echo 'Debian packages and about 10 GB in $$BAM_DMUX_CACHE or ~/.cache/bam-dmux):'
	@echo '  demo             boot the virtual phone and pass traffic through wwan0'
	@echo '  test             all tests; ARGS="-k wake" only chooses scenarios, by name, as'
	@echo '                   pytest does'
	@echo '  test-full        the same, and all scenarios on the debug kernel as well'
	@echo '  campaign         the hostile and stress scenarios at length;'
	@echo '                   ARGS="--seed 7 --frames 1000000 --lines 10000 --rounds 20",'
	@echo '                   FUZZ_SECONDS=300 for each fuzz target'
	@echo '  defects          mainline'"'"'s defects: runs what shows them on both drivers, writes'
	@echo '                   the table in Documentation/defects.rst'
	@echo '  mutants          breaks the driver on purpose, and looks whether the tests notice;'
	@echo '                   ARGS="patches -k sleep-" picks some'
	@echo '  fuzz             libFuzzer on the protocol core and the simulator;'
	@echo '                   ARGS="--seconds 60 handshake mmio"'
	@echo '  shell            a shell in the virtual phone'
	@echo '  lint             all static checks; CHECKS= picks some'
	@echo '  format           put Rust and Python files into shape'
	@echo '  env, kernels     only set up the environment, or its kernels'
	@echo '  modem            only build the simulated modem'
	@echo '  update-env       fetch newer packages'
	@echo '  clean-cache      remove the whole cache'
	@echo 'DRIVER=mainline takes the driver in C, KERNEL=base|debug another kernel.'

.PHONY: modules modules_install clippy rust-analyzer clean rustfmt rustfmtcheck \
	check-kdir demo test test-full campaign defects mutants fuzz shell lint format env kernels \
	modem update-env clean-cache help
