# SPDX-License-Identifier: MIT
# refuse.bats - what EL2 cannot run it refuses with one line on the UART, and stands still: never silence, never a fault.

load lib

setup_file() {
	machine_begin
	cat >"$AVISOR_TEST/one.yaml" <<-YAML
		version: 1
		name: one
		machine: {cpus: 2, memory: 256MiB}
		vms:
		  - {name: vm1, image: $GUESTS/hello.elf, memory: 32MiB}
	YAML
	"$AVISOR_BUILD/mkbundle" "$AVISOR_TEST/one.yaml" "$AVISOR_BUILD/control.elf" "$AVISOR_TEST/ram" >/dev/null
}

teardown_file() { machine_end; }

setup() {
	machine_here
	rm -f uart
	QEMU_PID=
}

teardown() {
	[ -z "$QEMU_PID" ] || kill -KILL "$QEMU_PID" 2>/dev/null || :
}

# boot MACHINE OPTION...: QEMU with the EL2 image and the bundle, its UART in the file `uart`
boot() {
	local machine=$1
	shift
	qemu-system-aarch64 -M "$machine,memory-backend=ram" -cpu cortex-a57 -m 256M -kernel "$AVISOR_BUILD/hypervisor.elf" \
		-object memory-backend-file,id=ram,size=256M,mem-path=ram,share=on -nodefaults -no-user-config -display none \
		-serial file:uart -global virtio-mmio.force-legacy=false "$@" >qemu.out 2>&1 {AVISOR_LOCK_FD}<&- 3>&- &
	QEMU_PID=$!
}

uart_says() {
	grep -qE -e "$1" uart
}

refused() {
	wait_for 20 uart_says "^avisor: refused: $1" || fails "$(cat uart qemu.out)"
	[ "$(grep -c . uart)" -le 2 ] || fails "more than it had to say: $(cat uart)"
}

@test "started at EL1, it says which option is missing" {
	boot virt,gic-version=3 -smp 1
	refused 'started below EL2; run QEMU with -M virt,virtualization=on'
}

@test "without a GICv3 it says so" {
	boot virt,virtualization=on,gic-version=2 -smp 1
	refused 'this machine lacks a GICv3'
}

@test "with fewer CPUs than the manifest names it says which one is missing" {
	boot virt,virtualization=on,gic-version=3 -smp 1 -device virtio-serial-device,max_ports=64
	refused 'this machine lacks CPU 1 \(machine.cpus is 2\)'
}

@test "without a virtio-serial device it says which option is missing" {
	boot virt,virtualization=on,gic-version=3 -smp 2
	wait_for 20 uart_says '^avisor: refused: this machine lacks a virtio-serial device' || fails "$(cat uart)"
}

@test "without a bundle it names the field that is wrong" {
	mv ram ram.good
	truncate -s 256M ram
	boot virt,virtualization=on,gic-version=3 -smp 2
	mv ram.good ram.kept
	refused 'manifest: magic'
	mv ram.kept ram
}

@test "with what it needs, the same image boots" {
	boot virt,virtualization=on,gic-version=3 -smp 2 -device virtio-serial-device,max_ports=64
	wait_for 20 uart_says 'running: [0-9]+ of [0-9]+ frames free' || fails "$(cat uart qemu.out)"
}
