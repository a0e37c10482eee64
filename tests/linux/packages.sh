# SPDX-License-Identifier: MIT
# packages.sh - Debian's packages for arm64, sourced by fetch.sh and headers.sh. They come from the machine's own apt sources, by
# apt itself (which checks their signatures), with its state in a private folder: the machine's architectures, lists and
# packages are never changed. Nothing needs root. Packages are kept in $cache: $AVISOR_CACHE, else ~/.cache/avisor where
# that folder is there, else the folder that is built, and used again.
# packages_begin DIR sets dir, cache and work, which goes away at the end.

fail() {
	echo "linux-guest: $*" >&2
	exit 1
}

packages_begin() {
	umask 022
	mkdir -p "$1"
	dir=$(cd "$1" && pwd)
	cache=${AVISOR_CACHE:-}
	[ -n "$cache" ] || { [ -d "${HOME:-/nonexistent}/.cache/avisor" ] && cache=$HOME/.cache/avisor; } || cache=$dir
	mkdir -p "$cache/debs"
	for tool in apt-get apt-cache dpkg dpkg-deb cpio gzip; do
		command -v "$tool" >/dev/null || fail "$tool is missing (a Debian machine with cpio is needed; try: make deps)"
	done
	work=$(mktemp -d "$dir/work.XXXXXX")
	trap 'rm -rf "$work"' EXIT
}

# the newest package in the cache whose file name begins with $1, if any; $2: its architecture, if not arm64
cached() {
	find "$cache/debs" -maxdepth 1 -name "$1_*_${2:-arm64}.deb" | sort -V | tail -n 1
}

# apt with a state of its own, for arm64; packages for this machine are NAME:ARCHITECTURE
private_apt() {
	local command=$1
	shift
	mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
	"$command" -q -o APT::Architecture=arm64 -o APT::Architectures::=arm64 \
		-o APT::Architectures::="$(dpkg --print-architecture)" -o Dir::State="$work/apt" \
		-o Dir::State::Lists="$work/apt/lists" -o Dir::State::status=/dev/null \
		-o Dir::Cache="$work/apt/cache" -o APT::Sandbox::User="$(id -un)" "$@"
}

packages_update() {
	echo "linux-guest: asking apt for $1 (only this project's folders are written)"
	private_apt apt-get update >"$work/apt.log" 2>&1 ||
		{ tail -n 5 "$work/apt.log" >&2; fail "apt-get update failed; no network, and nothing in $cache/debs?"; }
}

# packages_get PACKAGE...: into the cache
packages_get() {
	mkdir -p "$work/get"
	(cd "$work/get" && private_apt apt-get download "$@") >>"$work/apt.log" 2>&1 ||
		{ tail -n 5 "$work/apt.log" >&2; fail "apt-get could not download $*"; }
	mv "$work"/get/*.deb "$cache/debs/"
}
