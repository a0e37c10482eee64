#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""linux_same.py AVCTL VM VMLINUZ INITRD - is what Linux complains of here what it complains of on a plain QEMU?

The VM of the set that is up boots to its shell; its kernel's warnings and errors are read there, and its device tree out of the
machine's memory. The set is ended, and the same kernel, initramfs, command line and device tree, CPU model and number of CPUs are
started on a plain QEMU. Without times and addresses, there must be no line here that is not there. The performance counters must be
found alike. Exit code 1 and what is too much otherwise.
"""
import json, os, re, struct, subprocess, sys

from linux import Console, Failed, Machine, at_shell, check, say, vcpu_count

BUNDLE = 0x1000000  # AV_BUNDLE_PA in the RAM file
WORST = 4  # KERN_WARNING, and all that is worse
BUSY = r"hrtimer: interrupt took"  # about the host: on a busy one either may say so


def complaints(console):
    """Warnings and errors, without times and addresses, in their order; and how the PMU was found."""
    log = console.run("dmesg -r")
    worst = [match[2] for match in re.finditer(r"^<(\d+)>\[[^]]*\] (.*)$", log, re.M)
             if int(match[1]) & 7 <= WORST and not re.match(BUSY, match[2])]
    counters = re.findall(r"hw perfevents: .*", log)
    return [re.sub(r"\b(0x)?[0-9a-f]{6,}\b", "ADDRESS", line.strip()) for line in worst], counters


def machine_of(machine):
    """What the set's machine is: machine.json."""
    folder = os.environ["XDG_RUNTIME_DIR"] + "/avisor/" + os.environ["AVCTL_SET"]
    with open(folder + "/machine.json") as file:
        return json.load(file)


def tree_of(ram_file):
    """The device tree of the only VM that has an initrd."""
    with open(ram_file, "rb") as file:
        file.seek(BUNDLE)
        data = file.read(128 << 20)
    at = -1
    while (at := data.find(b"\xd0\x0d\xfe\xed", at + 1)) >= 0:
        size = struct.unpack_from(">I", data, at + 4)[0]
        if not at % 4096 and b"linux,initrd-start\0" in data[at:at + size]:
            return data[at:at + size]
    raise Failed("no device tree in the bundle")


def plain(tree, cpu, count, vmlinuz, initrd):
    """The same on QEMU alone, with a virtio console where ours has one."""
    return Console([os.environ.get("AVCTL_QEMU", "qemu-system-aarch64"), "-M", "virt,gic-version=3", "-cpu", cpu,
                    "-smp", str(count), "-m", "256", "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio",
                    "-global", "virtio-mmio.force-legacy=false", "-device", "virtio-serial-device", "-chardev", "null,id=hvc0",
                    "-device", "virtconsole,chardev=hvc0", "-kernel", vmlinuz, "-initrd", initrd, "-dtb", tree,
                    "-append", "console=ttyAMA0"])


def main(avctl, vm, vmlinuz, initrd):
    machine = Machine(avctl, vm)
    console = at_shell(machine)
    count, about = vcpu_count(machine), machine_of(machine)
    cpu = about["cpu_model"]
    ours, counters = complaints(console)
    check(console.run("nproc") == str(count), "nproc says something else")
    with open("tree.dtb", "wb") as file:
        file.write(tree_of(about["ram_file"]))
    console.close()
    machine("down")

    console = plain("tree.dtb", cpu, count, vmlinuz, initrd)
    console.expect(rb"avisor-linux: up", 90)
    console.settle()
    theirs, their_counters = complaints(console)
    console.send("poweroff -f\n")
    os.waitpid(console.pid, 0)

    say(f"{cpu}, {count} vCPU: {len(ours)} warnings and errors, plain QEMU {len(theirs)}; {counters}")
    check(counters and counters == their_counters, f"counters: {counters}, on a plain QEMU {their_counters}")
    left = list(theirs)
    for line in ours:
        check(line in left, f"only here: {line!r}; there: {theirs}")
        left.remove(line)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (Failed, OSError, subprocess.TimeoutExpired) as error:
        print(f"linux_same.py: {error}", file=sys.stderr)
        sys.exit(1)
