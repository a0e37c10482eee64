# SPDX-License-Identifier: MIT
"""boot.py - how near a guest runs to a machine of its own: Debian's kernel from reset to /init, memory walked, and how soon a
guest begins. Beside a plain QEMU with the same kernel, initramfs, command line and device tree."""
import json
import os
import statistics
import struct
import subprocess
import time

import exits
import icount
from machine import Failed, Place, Qemu, entry, wait_for

PAIRS = 9
TRACE_MOST = 5_000_000 # instructions until it is given up
MOST = {"linux_boot_ratio": 1.025, "linux_boot_wall_ratio": 1.10, "walk64m_ratio": 1.05,
        "first_guest_instruction": 600000, "el2_image_kib": 128}
BUNDLE = 0x1000000 # AV_BUNDLE_PA in the RAM file
FLAT_ENTRY = 0x40080000 # where a flat image begins: neither EL2 nor the control VM has anything there
NS_PER_TICK = 16
ORIGIN = 1 << 52 # where a guest's counter may begin (core/clock.c)

SET = """version: 1
name: bench
machine: {{cpus: 1, cpu: cortex-a57, memory: {machine}MiB}}
vms:
  - {{name: vm1, image: {image}, {more}memory: 256MiB}}
"""


def initramfs(build, path):
    """The Linux guest's, with another /init behind it: the later one counts."""
    with open(f"{build}/linux/initrd", "rb") as file:
        data = file.read()
    with open(f"{build}/linux/boot-init", "rb") as file:
        program = file.read()

    def member(name, mode, body):
        head = "070701" + "".join(f"{n:08x}" for n in (0, mode, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(name) + 1, 0))
        head = head.encode() + name.encode() + b"\0"
        return head + b"\0" * (-len(head) % 4) + body + b"\0" * (-len(body) % 4)

    data += b"\0" * (-len(data) % 4) + member("init", 0o100755, program) + member("TRAILER!!!", 0, b"")
    with open(path, "wb") as file:
        file.write(data)


def elf_segments(path):
    """[(address, bytes in the file)]"""
    with open(path, "rb") as file:
        data = file.read()
    offset, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    heads = [struct.unpack_from("<IIQQQQQQ", data, offset + i * size) for i in range(count)]
    return [(head[4], head[5]) for head in heads if head[0] == 1 and head[5]]


class Prepared:
    """A set whose bundle is written: what remains is to start QEMU."""

    def __init__(self, build, text, qemu_args=""):
        self.place = Place(build)
        try:
            path = self.place.write("bench.yaml", text)
            plan = json.loads(self.place.avctl("-f", path, "up", "-n", "-o", "json", AVCTL_QEMU_ARGS=qemu_args))
            self.argv, self.cwd, self.ram = plan["argv"], plan["runtime_dir"], plan["ram_file"]
            os.makedirs(self.cwd)
            os.makedirs(self.place.file("state/avisor/bench"))
            subprocess.run([f"{build}/mkbundle", path, f"{build}/control.elf", self.ram], check=True,
                           stdout=subprocess.DEVNULL)
        except BaseException:
            self.place.remove()
            raise

    def console(self):
        path = self.place.file("state/avisor/bench/vm1.console.log")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().replace("\r", "")

    def tree(self):
        """vm1's device tree, as it lies in the bundle."""
        with open(self.ram, "rb") as file:
            file.seek(BUNDLE)
            data = file.read()
        at = -4096
        while (at := data.find(b"\xd0\x0d\xfe\xed", at + 4096)) >= 0:
            size = struct.unpack_from(">I", data, at + 4)[0]
            if not at % 4096 and b"linux,initrd-start\0" in data[at:at + size]:
                return data[at:at + size]
            at -= at % 4096
        raise Failed("no device tree in the bundle")


def linux_set(build, initrd):
    return SET.format(machine=1024, image=f"{build}/linux/vmlinuz",
                      more=f'initrd: {initrd}, bootargs: "console=ttyAMA0", ')


class LinuxBoots:
    """The same kernel twice, with Avisor and without; each start is a process of its own."""

    def __init__(self, build):
        self.build = build
        self.first = Place(build)
        initramfs(build, self.first.file("initrd"))
        avisor = self.prepare()
        with open(self.first.file("tree"), "wb") as file:
            file.write(avisor.tree())
        avisor.place.remove()

    def prepare(self, qemu_args=""):
        return Prepared(self.build, linux_set(self.build, self.first.file("initrd")), qemu_args)

    def run(self, argv, cwd, console, place):
        """(seconds from QEMU's start to /init, the guest's counter then)"""
        start = time.perf_counter()
        qemu = Qemu(place, argv, cwd)
        try:
            wait_for("Linux", 120, lambda: "bench done" in console(), qemu.alive, 0.002)
            took = time.perf_counter() - start
            return took, icount.read_results(console())["linux_boot"] % (ORIGIN * NS_PER_TICK)
        finally:
            qemu.end()

    def with_avisor(self, qemu_args=""):
        set_ = self.prepare(qemu_args)
        try:
            return self.run(set_.argv, set_.cwd, set_.console, set_.place)
        finally:
            set_.place.remove()

    def without(self, *more):
        place = Place(self.build)
        try:
            argv = exits.plain_argv(place, "-kernel", f"{self.build}/linux/vmlinuz", "-initrd", self.first.file("initrd"),
                                    "-append", "console=ttyAMA0", "-dtb", self.first.file("tree"), *more)
            return self.run(argv, place.path, lambda: exits.plain_text(place), place)
        finally:
            place.remove()

    def end(self):
        self.first.remove()


def first_guest_instruction(build):
    """Instructions from reset to the first one of a guest of one's own, told by QEMU one by one."""
    first = Place(build)
    with open(first.file("guest.bin"), "wb") as file:
        file.write(struct.pack("<II", 0xd503207f, 0x17ffffff)) # wfi; b .-4
    target = b"%016x" % FLAT_ENTRY
    set_ = Prepared(build, SET.format(machine=1024, image=first.file("guest.bin"), more="format: flat, "))
    first.remove()
    fifo = set_.place.file("trace")
    qemu = None
    try:
        os.mkfifo(fifo)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK) # before QEMU opens it to write
        os.set_blocking(reader, True)
        keep = os.open(fifo, os.O_WRONLY) # until QEMU has
        qemu = Qemu(set_.place, [*set_.argv, *exits.ICOUNT.split(), "-singlestep", "-d", "exec,nochain", "-D", fifo],
                    set_.cwd)
        wait_for("QEMU's trace", 20, lambda: os.path.exists(f"{set_.cwd}/qmp.sock"), qemu.alive)
        os.close(keep)
        count = 0
        with os.fdopen(reader, "rb", 1 << 20) as lines:
            for line in lines: # Trace 0: 0x7f... [00000000/0000000040200000/00000000/ff000000] name
                if not line.startswith(b"Trace "):
                    continue
                count += 1
                if line.split(b"/", 2)[1] == target:
                    return count
                if count > TRACE_MOST:
                    break
        raise Failed(f"no guest within {count} instructions")
    finally:
        if qemu:
            qemu.end()
        set_.place.remove()


def ratio(name, ours, theirs, note):
    """Of the medians; least and most of the pairs'."""
    pairs = [a / b for a, b in zip(ours, theirs)]
    result = entry(name, "times", pairs, note)
    result["value"] = round(statistics.median(ours) / statistics.median(theirs), 4)
    return result


def measure_image(build):
    size = sum(size for _, size in elf_segments(f"{build}/release/hypervisor.elf"))
    return [entry("el2_image_kib", "KiB", [size / 1024])]


def measure(build, say):
    entries = []
    say("boot: the first guest instruction")
    first = first_guest_instruction(build)
    entries.append(entry("first_guest_instruction", "instructions", [first], "one VM, 1 GiB"))
    linux = LinuxBoots(build)
    try:
        say("boot: Linux by instructions")
        ours = linux.with_avisor(exits.ICOUNT)[1] + first # its counter begins with the guest
        theirs = linux.without(*exits.ICOUNT.split())[1]
        entries.append(ratio("linux_boot_ratio", [ours], [theirs], f"{ours / 1e6:.1f} to {theirs / 1e6:.1f} million"))
        say(f"boot: Linux by wall clock, {PAIRS} pairs")
        pairs = [(linux.with_avisor()[0], linux.without()[0]) for _ in range(PAIRS)]
        ours, theirs = zip(*pairs)
        note = f"medians {statistics.median(ours):.2f} s to {statistics.median(theirs):.2f} s"
        entries.append(ratio("linux_boot_wall_ratio", ours, theirs, note))
    finally:
        linux.end()
    say(f"boot: memory walked, {PAIRS} pairs")
    pairs = [(exits.with_avisor(build, "")["walk64m"], exits.with_plain(build)["walk64m"]) for _ in range(PAIRS)]
    ours, theirs = zip(*pairs)
    note = f"medians {statistics.median(ours) / 1e6:.1f} ms to {statistics.median(theirs) / 1e6:.1f} ms"
    entries.append(ratio("walk64m_ratio", ours, theirs, note))
    return entries


def targets(value):
    """[(met, what)]"""
    return [(value(name) <= most, f"{name} {value(name):,} <= {most:,}") for name, most in MOST.items() if value(name) is not None]
