# SPDX-License-Identifier: MIT
"""wall.py - wall clock: avctl snapshot take and restore end to end beside savevm and loadvm of a plain QEMU.

Both run the same guest image (tests/guests/shell.c) with the same RAM in the same tmpfs, idle but for its 100 Hz timer;
the runs are interleaved."""
import os
import subprocess

from machine import Failed, Line, Place, Qemu, Qmp, entry

RUNS = 9
FIRST_PAGE = 0x40800000  # of RAM at 0x40000000: above the guest's image
MARGIN = 8 << 20

SET = """version: 1
name: wall
machine: {{cpus: 1, cpu: cortex-a57, memory: {machine}MiB}}
vms:
  - {{name: vm1, image: {build}/guests/shell.elf, memory: {ram}MiB}}
"""


class Avisor:
    def __init__(self, build, ram):
        self.place = Place(build)
        try:
            path = self.place.write("wall.yaml", SET.format(build=build, ram=ram, machine=ram * 5 // 4 + 192))
            self.place.avctl("-f", path, "up", "--timeout", "60s")
            self.console = Line(self.place.file("run/avisor/wall/vm1.console"))
            self.console.say("\n")
            self.console.until(b"\n> ")
        except Failed:
            self.end()
            raise

    def take(self):
        return self.place.timed("-s", "wall", "-q", "snapshot", "take", "vm1")

    def restore(self, *options):
        return self.place.timed("-s", "wall", "-q", "restore", "vm1", "--latest", *options)

    def end(self):
        try:
            self.place.avctl("-s", "wall", "down")
        finally:
            self.place.remove()


class Plain:
    def __init__(self, build, ram):
        self.place = Place(build)
        self.qemu = None
        try:
            disk = self.place.file("disk.qcow2")
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "64M"], check=True)
            self.qemu = Qemu(self.place, [
                "qemu-system-aarch64", "-M", "virt,gic-version=3", "-cpu", "cortex-a57", "-smp", "1", "-accel",
                "tcg,thread=single", "-m", f"{ram}M", "-kernel", f"{build}/guests/shell.elf", "-nodefaults",
                "-no-user-config", "-display", "none", "-chardev", "socket,id=console,path=console,server=on,wait=on",
                "-serial", "chardev:console", "-drive", f"if=none,id=disk,format=qcow2,file={disk}", "-qmp",
                "unix:qmp,server=on,wait=off"], self.place.path)
            self.console = Line(self.place.file("console"))
            self.console.until(b"\n> ")
            self.qmp = Qmp(self.place.file("qmp"))
        except Failed:
            self.end()
            raise

    def save(self):
        return self.qmp.timed("savevm bench")

    def load(self):
        return self.qmp.timed("loadvm bench")

    def forget(self):
        self.qmp.timed("delvm bench")

    def end(self):
        if self.qemu:
            self.qemu.end()
        self.place.remove()


def fill(console, ram):
    """One word of each page of the VM's RAM, but the first and last 8 MiB."""
    pages = ((ram << 20) - 2 * MARGIN) >> 12
    console.say(f"touch {FIRST_PAGE} {pages} 1\n")
    console.until(b"touch: ")
    said = console.until(b"\n")
    if said.strip() != f"{pages} pages".encode():
        raise Failed(f"the guest did not fill its memory: {said!r}")


def measure_pair(avisor, plain, runs):
    """{name: [milliseconds]}"""
    figures = {name: [] for name in ("e2e.take_ms", "e2e.restore_ms", "e2e.restore_ms.noundo", "qemu.savevm_ms",
                                     "qemu.loadvm_ms")}
    for _ in range(runs):
        figures["e2e.take_ms"].append(avisor.take())
        figures["qemu.savevm_ms"].append(plain.save())
        figures["e2e.restore_ms"].append(avisor.restore())
        figures["qemu.loadvm_ms"].append(plain.load())
        figures["e2e.restore_ms.noundo"].append(avisor.restore("--no-undo"))
        plain.forget()
    return figures


def measure_one(build, ram, used):
    """Entries of one pair of fresh machines: a plain QEMU's PL011 takes no input after loadvm, so they are filled first."""
    entries = []
    avisor = plain = None
    try:
        avisor = Avisor(build, ram)
        plain = Plain(build, ram)
        if used:
            fill(avisor.console, ram)
            fill(plain.console, ram)
            entries.append(entry("e2e.take_ms.full.first", "ms", [avisor.take()], "all pages dirty"))
        figures = measure_pair(avisor, plain, RUNS)
        return entries + [entry(name + used, "ms", values) for name, values in figures.items()]
    finally:
        if plain:
            plain.end()
        if avisor:
            avisor.end()


def measure(build, rams, say):
    entries = []
    for ram in rams:
        for used in "", ".full":
            say(f"wall clock: {RUNS} runs with {ram} MiB, {'all' if used else 'little'} memory used")
            entries += named(measure_one(build, ram, used), ram)
    return entries


def named(entries, ram):
    """512 MiB is what a name without a suffix means."""
    return entries if ram == 512 else [dict(e, name=f"{e['name']}.ram{ram}") for e in entries]


def rams_that_fit(rams):
    """Those for which memory and tmpfs have room: two guests and a qcow2 file, all used."""
    with open("/proc/meminfo", encoding="utf-8") as file:
        free = {line.split(":")[0]: int(line.split()[1]) >> 10 for line in file}["MemAvailable"]
    room = os.statvfs("/dev/shm")
    room = room.f_bavail * room.f_frsize >> 20
    return [ram for ram in rams if free > ram * 4 + 512 and room > ram * 3 + 256]
