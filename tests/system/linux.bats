#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# linux.bats - a guest that nobody here wrote: Debian's own arm64 kernel (Show 10 of issue 2). Needs `make linux-guest`.
# The typing is done by linux.py.

load lib

setup_file() {
	machine_begin
	[ -s "$AVISOR_BUILD/linux/initrd" ] || {
		say "no kernel in $AVISOR_BUILD/linux: make linux-guest"
		return 1
	}
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

# A test that failed leaves its machine: the next one starts its own.
teardown() {
	avctl -s linux down >/dev/null 2>&1 || true
}

# set_on CPU-MODEL: configs/linux.yaml on that CPU, from this build
set_on() {
	sed -e "s,\.\./build,$AVISOR_BUILD," -e "s/^machine: {/&cpu: \"$1\", /" "$AVISOR_TOP/configs/linux.yaml" >linux.yaml
	grep -q "$1" linux.yaml
	machine_up linux.yaml
}

# act MODE ROUNDS VM...: see linux.py
act() {
	local mode=$1

	shift
	AVCTL_SET=linux timeout --kill-after=5 "${SOAK:+3}600" python3 -B "$BATS_TEST_DIRNAME/linux.py" "$mode" \
		"$AVISOR_BUILD/avctl" "$@" {AVISOR_LOCK_FD}<&-
}

# Boot, shell, file, snapshot, restores, hvc0, the clock: linux.py says what is looked at.
back_in_time() {
	local restores=10

	set_on "$1"
	act back $restores linux
	expect_equal "$(avctl -s linux ps -o json | json 'd["vms"][0]["state"]')" running "state of the VM"
	expect_equal "$(avctl -s linux ps -o json | json 'd["vms"][0]["generation"]')" $restores "number of restores"
	avctl -s linux down
}

@test "Debian's kernel on cortex-a57 boots to a shell and goes back in time ten times" {
	back_in_time cortex-a57
}

@test "Debian's kernel on max,pauth-impdef=on boots to a shell and goes back in time ten times" {
	back_in_time max,pauth-impdef=on
}

@test "Linux reboots, powers off and panics, and comes back" {
	set_on cortex-a57
	act life 2 linux
	avctl -s linux down
}

# Show 2 of issue 3.
@test "four Linux VMs of 2 vCPUs on two CPUs, restored at random, keep their files, and have their ticks and equal shares" {
	local image="image: $AVISOR_BUILD/linux/vmlinuz, initrd: $AVISOR_BUILD/linux/test.initrd" more="cpus: 2, snapshots: {keep: 8}"

	cat >linux.yaml <<-END
	version: 1
	name: linux
	machine: {cpus: 2, memory: 2GiB}
	vms:
	  - {name: vm1, $image, bootargs: "console=ttyAMA0 quiet", memory: 256MiB, $more}
	  - {name: vm2, $image, bootargs: "console=hvc0 console=ttyAMA0 quiet", memory: 512MiB, $more}
	  - {name: vm3, $image, bootargs: "console=ttyAMA0 quiet", memory: 128MiB, $more}
	  - {name: vm4, $image, bootargs: "console=ttyAMA0 quiet", memory: 256MiB, $more}
	END
	machine_up linux.yaml
	act crowd "${SOAK:+60}8" vm1 vm2 vm3 vm4 >&3
	for vm in vm1 vm2 vm3 vm4; do
		expect_equal "$(avctl -s linux ps -o json | json "[v['state'] for v in d['vms'] if v['name'] == '$vm'][0]")" \
			running "state of $vm"
	done
	avctl -s linux down
}

# smp_on CPU-MODEL PHYSICAL-CPUS VIRTUAL-CPUS [PLACES]
smp_on() {
	cat >linux.yaml <<-END
	version: 1
	name: linux
	machine: {cpu: "$1", cpus: $2, memory: 1GiB}
	vms:
	  - name: vm1
	    image: $AVISOR_BUILD/linux/vmlinuz
	    initrd: $AVISOR_BUILD/linux/initrd
	    bootargs: "console=ttyAMA0"
	    memory: 256MiB
	    cpus: $3
	    ${4:+cpu: $4}
	    snapshots: {keep: 8}
	END
	machine_up linux.yaml
	act smp 10 vm1
	avctl -s linux down
}

@test "Linux with 2 vCPUs on 2 CPUs of cortex-a57: hotplug, busy under ten restores, reboot, power-off" {
	smp_on cortex-a57 2 2
}

@test "Linux with 4 vCPUs on 2 CPUs of max,pauth-impdef=on: the same" {
	smp_on max,pauth-impdef=on 2 4
}

# lives_on FLAVOUR CPU-MODEL VIRTUAL-CPUS SECONDS: Show 1 of issue 3; SECONDS of load
lives_on() {
	local folder=$AVISOR_BUILD/linux image initrd

	[ "$1" = generic ] && initrd=initrd || initrd=$1/base.initrd
	[ "$1" = generic ] && image=vmlinuz || image=$1/vmlinuz
	cat >linux.yaml <<-END
	version: 1
	name: linux
	machine: {cpu: "$2", cpus: 2, memory: 1GiB}
	vms:
	  - {name: vm1, image: $folder/$image, initrd: $folder/$initrd, bootargs: "console=ttyAMA0", memory: 256MiB, cpus: $3}
	END
	machine_up linux.yaml
	AVCTL_SET=linux timeout --kill-after=5 900 python3 -B "$BATS_TEST_DIRNAME/linux_same.py" "$AVISOR_BUILD/avctl" vm1 \
		"$folder/$image" "$folder/$initrd" "$4" {AVISOR_LOCK_FD}<&- >&3
}

@test "Debian's kernel lives with 2 vCPUs, and complains of nothing that it does not complain of on a plain QEMU" {
	lives_on generic cortex-a57 2 5
}

@test "the cloud kernel with 4 vCPUs on neoverse-n1: the same" {
	lives_on cloud neoverse-n1 4 5
}

@test "the rt kernel with 2 vCPUs on max,pauth-impdef=on: the same" {
	lives_on rt max,pauth-impdef=on 2 5
}

# LIVES: which flavours, all by default.
@test "each kernel with 1, 2, 4 and 8 vCPUs on each CPU model, busy for a minute: the same" {
	local flavour cpu count

	[ -n "${SOAK:-}" ] || skip "with SOAK=1"
	for flavour in ${LIVES:-generic cloud rt}; do
		for cpu in cortex-a57 neoverse-n1 max,pauth-impdef=on; do
			for count in 1 2 4 8; do
				lives_on $flavour $cpu $count 60
			done
		done
	done
}

@test "configs/linux-smp.yaml is a set as it stands" {
	avctl -f "$AVISOR_TOP/configs/linux-smp.yaml" config check
}

@test "Linux with 2 vCPUs on one CPU, and with 4 on four: the same" {
	[ -n "${SOAK:-}" ] || skip "with SOAK=1"
	smp_on cortex-a57 1 2
	smp_on max,pauth-impdef=on 2 2 1
	smp_on neoverse-n1 4 4
	smp_on cortex-a57 2 8
}
