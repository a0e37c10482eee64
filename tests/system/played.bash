# SPDX-License-Identifier: MIT
# played.bash - for tests of avctl alone, on a machine that fake_qemu.py plays: `load played`. Set duo of duo.yaml in the
# test's own folder is ended after each test.

setup_file()
{
	local top=$BATS_TEST_DIRNAME/../..

	export TOP=$(realpath "$top")
	export AVCTL=$(realpath "${AVCTL:-${AVISOR_BUILD:-$top/${B:-build}}/avctl}")
	export GUESTS=$(dirname "$AVCTL")/guests
	export AVCTL_QEMU=$TOP/tests/system/fake_qemu.py
	unset AVCTL_SET AVCTL_QEMU_ARGS AVCTL_RAM_DIR
}

setup()
{
	export XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/run XDG_STATE_HOME=$BATS_TEST_TMPDIR/state
	mkdir -m 700 "$XDG_RUNTIME_DIR"
	cd "$BATS_TEST_TMPDIR"
	cat >duo.yaml <<-END
	version: 1
	name: duo
	machine: {cpus: 2, memory: 256MiB}
	vms:
	  - {name: vm1, image: $GUESTS/hello.elf, memory: 32MiB, snapshots: {keep: 2}}
	  - {name: vm2, image: $GUESTS/hello.elf, memory: 32MiB}
	shm:
	  - {name: board, address: 0x70000000, size: 64KiB, init: "Ciallo!", members: {vm1: ro, vm2: rw}}
	END
}

teardown()
{
	cd "$BATS_TEST_TMPDIR"
	"$AVCTL" -q -f duo.yaml down
}

avctl() { "$AVCTL" "$@"; }

up() { "$AVCTL" -q -f duo.yaml up >up.out; }

# code WANTED COMMAND...: the exit code, with stdout in $output and stderr in $errors.
code()
{
	local wanted=$1 got=0

	shift
	output=$("$@" 2>errors) || got=$?
	errors=$(<errors)
	if [ "$got" != "$wanted" ]; then
		echo "$*: exit code $got, not $wanted"
		echo "$output"
		echo "$errors"
		return 1
	fi
}

# errors and output contain
says() { [[ $errors == *"$1"* ]] || { echo "no \"$1\" in: $errors"; return 1; }; }
prints() { [[ $output == *"$1"* ]] || { echo "no \"$1\" in: $output"; return 1; }; }

# json EXPR: stdin is JSON with our schema; print a Python expression over it, d.
json()
{
	python3 -c 'import json, sys
d = json.load(sys.stdin)
assert d["schema"] == "avctl/1", d
print(eval(sys.argv[1]))' "$1"
}
