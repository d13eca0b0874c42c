# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# One static check, inside the root: called by tests/env/lint.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

KSRC=/cache/kernel/src
KDIR=/cache/kernel/base
FILES=/cache/build/files
# The Rust that this tree is known to be clean with. Debian's backports move on, and a
# newer clippy has new lints: these are shown, but fail nobody who changed nothing.
RUST_KNOWN=1.97

# Whether warnings of Rust's are errors; says so if not.
strict() {
	local version
	version=$(rustc --version | sed -E 's/^rustc ([0-9]+\.[0-9]+)\..*/\1/')
	printf '%s\n' "$version" "$RUST_KNOWN" | sort -V -C && return
	echo "note: Rust $version is newer than $RUST_KNOWN, which this tree is known to be clean with:" \
		"its warnings are no errors. Mend them, then change RUST_KNOWN in tests/env/lint-check.sh."
	return 1
}

# files PATTERN: of the checkout's files those whose path matches.
files() {
	grep -E "$1" "$FILES" || true
}

# scripts LANGUAGE: programs without a suffix, by their first line.
scripts() {
	local file
	while IFS= read -r file; do
		if head -n 1 "$file" | grep -qE "^#!.*\b$1\b"; then
			printf '%s\n' "$file"
		fi
	done < <(grep -vE '\.(rs|c|h|md|rst|toml|lock|dts|dtsi|dtso)$|^tests/fuzz/corpus/' "$FILES")
}

# A licence on every file, no unsafe code where none belongs, and no trace of the
# machine that something was written on.
check_text() {
	local file status=0
	while IFS= read -r file; do
		if [ -s "$file" ] && ! head -n 3 "$file" | grep -q 'SPDX-License-Identifier: '; then
			echo "$file: no SPDX-License-Identifier in its first lines"
			status=1
		fi
	done < <(grep -vE '(^|/)(COPYING|LICENSES?/.*|Cargo\.lock)$|\.(json|png|hex|bin)$|proptest-regressions/|^tests/fuzz/corpus/' \
		"$FILES")
	while IFS= read -r file; do
		if grep -nHw unsafe "$file" | grep -vE ':[0-9]+: *//'; then
			echo "$file: unsafe code belongs below src/kabi (and in bindings)"
			status=1
		fi
	done < <(files '^src/.*\.rs$' | grep -vE '^src/kabi(\.rs$|/)')
	while IFS= read -r file; do
		if grep -nHEi '(^|[^a-z0-9.])/(wor[k]|roo[t]/\.|home/[a-z]+)/|\.debia[n]\.org|10\.255[.]' "$file"; then
			echo "$file: a path or host of some machine"
			status=1
		fi
	done < <(grep -vE '(^|/)Cargo\.lock$|^tests/fuzz/corpus/' "$FILES")
	# Each defect of mainline's driver is shown or explained, and the table says so.
	python3 tests/e2e/run.py check || status=1
	# Each mutant still fits, and names a test that there is.
	python3 tests/mutants/mutants.py --check || status=1
	return $status
}

check_shell() {
	local found
	mapfile -t found < <({ files '\.sh$'; scripts '(ba|da)?sh'; } | sort -u)
	shellcheck --external-sources --source-path=SCRIPTDIR --severity=style "${found[@]}"
}

check_python() {
	local found
	mapfile -t found < <({ files '\.py$'; scripts python3; } | sort -u)
	ruff check "${found[@]}"
	ruff format --check --diff "${found[@]}"
}

check_rustfmt() {
	local found
	mapfile -t found < <(files '\.rs$')
	rustfmt_kernel --check --color never "${found[@]}" && return
	echo "Not formatted ('make format' does it):"
	rustfmt_kernel --check -l "${found[@]}" | sort -u | sed 's,^/src/,,'
	return 1
}

rustfmt_kernel() {
	rustfmt --edition 2021 --config-path "$KSRC/.rustfmt.toml" "$@"
}

# Not a check: brings files into shape (make format).
check_format() {
	local found
	mapfile -t found < <(files '\.rs$')
	rustfmt_kernel "${found[@]}"
	mapfile -t found < <({ files '\.py$'; scripts python3; } | sort -u)
	ruff format "${found[@]}"
}

check_crates() {
	local deny=()
	strict && deny=(-D warnings)
	cargo clippy --workspace --all-targets -- "${deny[@]}"
}

check_checkpatch() {
	local found
	mapfile -t found < <(files '\.[ch]$')
	[ ${#found[@]} -gt 0 ] || return 0
	perl "$KSRC/scripts/checkpatch.pl" --strict --no-tree --quiet --terse --show-types --no-summary \
		-f "${found[@]}"
}

check_dts() {
	dts/check "$KSRC" /cache/build/dts
}

# Warnings are errors, in C (W=1e) and in Rust, with the kernel's lints.
lint_module() {
	local log=/cache/build/lint.out warnings=1e
	strict || warnings=1
	make -C "$KDIR" ARCH=arm64 LLVM=1 -j"$JOBS" W=$warnings "$@" modules >"$log" 2>&1 || {
		cat "$log"
		return 1
	}
	cat "$log"
	[ $warnings = 1 ] || ! grep -E '^(warning|WARNING)|: warning: ' "$log"
}

check_module() {
	local copy=/cache/build/lint
	copy_sources "$copy"
	lint_module M=$copy CLIPPY=1
	# Users build without the tests: nothing may be left unused then.
	lint_module M=$copy CLIPPY=1 CONFIG_BAM_DMUX_KUNIT_TEST=
}

check_board() {
	local copy=/cache/build/lint
	copy_sources "$copy"
	lint_module M=$copy/tests/board
}

# struct net_device and others have parts that hang on the kernel's options: the
# bindings must have the types of all of them. There is nothing to link against.
check_full() {
	local copy=/cache/build/full
	copy_sources "$copy"
	make -C /cache/kernel/full ARCH=arm64 LLVM=1 -j"$JOBS" M="$copy" \
		KBUILD_MODPOST_WARN=1 modules
}

cd "$CHECKOUT"
"check_$1"
