#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""linux_same.py AVCTL VM VMLINUZ INITRD SECONDS - a whole life of Linux, and is what it complains of what it complains of elsewhere?

The VM of the set that is up boots to its shell; all CPUs are found, each is turned off and on again, and all are busy for so many
seconds. Then the kernel's warnings and errors are read, and its device tree out of the machine's memory; it reboots, and turns
itself off. The set is ended, and the same kernel, initramfs, command line and device tree, CPU model and number of CPUs are started
on a plain QEMU. Without times and addresses, there must be no line here that is not there. The performance counters must be found
alike. Exit code 1 and what is wrong otherwise.
"""
import json, os, re, struct, subprocess, sys, time

from linux import Console, Failed, Machine, at_shell, check, each_cpu_off_and_on, no_complaints, reboots, say, smp_boots, ticks, \
    vcpu_count

BUNDLE = 0x1000000  # AV_BUNDLE_PA in the RAM file
WORST = 4  # KERN_WARNING, and all that is worse
BUSY = r"hrtimer: interrupt took|sched: RT throttling activated"  # about the host: on a busy one either may say so


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


def busy(console, count, seconds):
    """Each CPU has something to do all the time, and the shell answers meanwhile. In a session that the shell knows nothing of."""
    console.run(f"(setsid sh -c 'for i in $(seq {count}); do (while :; do dd if=/dev/urandom bs=4k count=64 | gzip | md5sum; done) & "
                "echo $! >>/tmp/jobs; (while :; do :; done) & echo $! >>/tmp/jobs; done; echo $$ >/tmp/load; wait' >/dev/null 2>&1 &); "
                "until [ -s /tmp/load ]; do usleep 10000; done", 60)
    before, deadline = ticks(console), time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        console.run("uptime", 60)
        time.sleep(min(left, 5))
    after = ticks(console)
    check(all(b > a for a, b in zip(before, after)), f"a CPU has no timer ticks under load: {before}, then {after}")
    there = console.run("for i in $(cat /tmp/jobs); do [ ! -d /proc/$i ] || echo $i; done | wc -l", 60)
    check(there == str(2 * count), f"of {2 * count} jobs that made it busy {there} are there at the end")
    console.run("kill -9 -$(cat /tmp/load)", 60)


def life(console, count, seconds):
    """What both are put through before their complaints are read."""
    smp_boots(console, count)
    if count > 1:
        each_cpu_off_and_on(console, count)
    if seconds:
        busy(console, count, seconds)
    return complaints(console)


def main(avctl, vm, vmlinuz, initrd, seconds):
    machine = Machine(avctl, vm)
    console = at_shell(machine, 180)
    count, about = vcpu_count(machine), machine_of(machine)
    cpu, release = about["cpu_model"], console.run("uname -r")
    ours, counters = life(console, count, int(seconds))
    no_complaints(console)
    with open("tree.dtb", "wb") as file:
        file.write(tree_of(about["ram_file"]))
    reboots(console, count)
    console.send("poweroff -f\n")
    machine("wait", vm, "stopped", "--timeout", "50s")
    console.close()
    machine("down")

    console = plain("tree.dtb", cpu, count, vmlinuz, initrd)
    console.expect(rb"avisor-linux: up", 180)
    console.settle()
    theirs, their_counters = life(console, count, 0)
    console.send("poweroff -f\n")
    os.waitpid(console.pid, 0)

    say(f"{release}, {cpu}, {count} vCPU: busy for {seconds} s; {len(ours)} warnings and errors, plain QEMU {len(theirs)}; {counters}")
    check(counters or "cloud" in release, "no counters")
    check(counters == their_counters, f"counters: {counters}, on a plain QEMU {their_counters}")
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
