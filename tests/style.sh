#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# style.sh - facts of the tree that STYLE.md asks for, as TAP: each header compiles alone, files stay under 500 lines,
# every source has its SPDX line.
cd "$(dirname "$0")/.." || exit 1
n=0
report() {
	n=$((n + 1))
	if [ -z "$2" ]; then echo "ok $n $1"; else
		echo "not ok $n $1"
		echo "$2" | sed 's/^/# /'
	fi
}

# Outside a checkout every file of these folders counts.
if ! git rev-parse --git-dir >/dev/null 2>&1; then
	git() {
		shift
		for pattern; do find . -path ./build -prune -o -path "./$pattern" -type f -print | sed 's#^\./##'; done
	}
fi

wrong=""
for header in $(git ls-files 'abi/*.h' 'hypervisor/core/*.h' 'hypervisor/mm/*.h' 'hypervisor/dev/*.h' 'hypervisor/drivers/*.h' 'hypervisor/arch/aarch64/*.h'); do
	[ "$header" = hypervisor/core/cpu_offsets.h ] && continue
	echo "#include \"$header\"" | aarch64-linux-gnu-gcc -std=gnu17 -ffreestanding -mgeneral-regs-only -fsyntax-only -Wall \
		-Wno-unused -Iabi -Ihypervisor -Ihypervisor/arch/aarch64/include -I. -DAV_DEBUG=1 -x c - 2>/dev/null || wrong="$wrong $header"
done
report "every header of the hypervisor compiles alone" "$wrong"

wrong=""
for header in $(git ls-files 'avctl/*.h' 'guest-agent/core/*.h' 'guest-agent/shared/*.h'); do
	echo "#include \"$header\"" | gcc -std=gnu17 -D_GNU_SOURCE -fsyntax-only -Wall -Wno-unused -Iabi -Iavctl -Iguest-agent \
		-Ihypervisor -I. -x c - 2>/dev/null || wrong="$wrong $header"
done
report "every header of avctl and the agent compiles alone" "$wrong"

# For Linux user space: plain C11, by gcc and clang, on another architecture and on AArch64 (whose C library is not here).
wrong=""
for cc in gcc clang "aarch64-linux-gnu-gcc -ffreestanding"; do
	for source in $(git ls-files 'guest-agent/shared/*.c'); do
		$cc -std=c11 -fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -Iabi -Iguest-agent "$source" 2>&1 ||
			wrong="$wrong ${cc%% *}:$source"
	done
done
report "the library over shared memory is C11 that a Linux program can use" "$wrong"

report "no source file is longer than 500 lines" \
	"$(git ls-files '*.c' '*.h' '*.S' | xargs wc -l | awk '$2 != "total" && $1 > 500 {print $2, $1}')"
report "every source file names its licence" \
	"$(git ls-files '*.c' '*.h' '*.S' '*.def' '*.mk' '*.sh' '*.bats' Makefile | grep -v '^guest-agent/linux/kernel/' |
		xargs grep -L 'SPDX-License-Identifier: MIT'
	git ls-files 'guest-agent/linux/kernel/*' | xargs grep -L 'SPDX-License-Identifier: GPL-2.0$\|SPDX-License-Identifier: GPL-2.0 \*/$')"
echo "1..$n"
