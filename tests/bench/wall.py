# SPDX-License-Identifier: MIT
"""wall.py - wall clock: avctl snapshot take and restore end to end beside savevm and loadvm of a plain QEMU.

Both run the same guest image with the same RAM in the same tmpfs, and the runs are interleaved. Guests: Debian's kernel
with a busybox (what the other hypervisors were measured with), and the smallest there can be, tests/guests/shell.c."""
import os
import subprocess

from machine import Failed, Line, Place, Qemu, Qmp, entry

RUNS = 9

SET = """version: 1
name: wall
machine: {{cpus: 1, cpu: cortex-a57, memory: {machine}MiB}}
vms:
  - {{name: vm1, {image}, memory: {ram}MiB}}
"""


class Tiny:
    """A guest of 100 KiB; used pages have one word written."""
    suffix = ".tiny"
    prompt = b"\n> "

    def __init__(self, build):
        self.image = f"image: {build}/guests/shell.elf"
        self.qemu = ["-kernel", f"{build}/guests/shell.elf"]

    def fill(self, console, ram):
        """From 8 MiB to the last 8 MiB."""
        pages = (ram - 16) << 8
        console.say(f"touch {0x40800000} {pages} 1\n")
        console.until(f"touch: {pages} pages".encode())


class Linux:
    suffix = ""
    prompt = b"linux$ "

    def __init__(self, build):
        files = [f"{build}/linux/vmlinuz", f"{build}/linux/initrd"]
        self.there = all(os.path.exists(file) for file in files)
        self.image = f'image: {files[0]}, initrd: {files[1]}, bootargs: "console=ttyAMA0 quiet"'
        self.qemu = ["-kernel", files[0], "-initrd", files[1], "-append", "console=ttyAMA0 quiet"]

    def fill(self, console, _ram):
        """A file in the guest's tmpfs takes what is available but 24 MiB."""
        console.say("mount -o remount,size=100% /tmp; n=$(awk '/MemAvailable/ {print int($2 / 1024) - 24}' /proc/meminfo);"
                    " while cat /bin/busybox; do :; done 2>/dev/null |"
                    " dd of=/tmp/fill bs=1M count=$n iflag=fullblock 2>/dev/null; echo fil''led $?\n")
        console.until(b"filled 0")


class Avisor:
    def __init__(self, build, guest, ram):
        self.place = Place(build)
        try:
            path = self.place.write("wall.yaml", SET.format(image=guest.image, ram=ram, machine=ram * 3 // 2 + 384))
            self.place.avctl("-f", path, "up", "--timeout", "60s")
            self.console = Line(self.place.file("run/avisor/wall/vm1.console"))
            self.console.say("\n") # the first prompt may have gone by
            self.console.until(guest.prompt)
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
    def __init__(self, build, guest, ram):
        self.place = Place(build)
        self.qemu = None
        try:
            disk = self.place.file("disk.qcow2")
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "64M"], check=True)
            self.qemu = Qemu(self.place, [
                "qemu-system-aarch64", "-M", "virt,gic-version=3", "-cpu", "cortex-a57", "-smp", "1", "-accel",
                "tcg,thread=single", "-m", f"{ram}M", *guest.qemu, "-nodefaults", "-no-user-config",
                "-display", "none", "-chardev", "socket,id=console,path=console,server=on,wait=on",
                "-serial", "chardev:console", "-drive", f"if=none,id=disk,format=qcow2,file={disk}", "-qmp",
                "unix:qmp,server=on,wait=off"], self.place.path)
            self.console = Line(self.place.file("console"))
            self.console.until(guest.prompt)
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


def measure_pair(avisor, plain, runs):
    """{name: [milliseconds]}; the plain guest stands still while avctl is timed: after a loadvm QEMU translates it anew."""

    def alone(operation, *args):
        plain.qmp.call("stop")
        took = operation(*args)
        plain.qmp.call("cont")
        return took

    figures = {name: [] for name in ("e2e.take_ms", "e2e.restore_ms", "e2e.restore_ms.noundo", "qemu.savevm_ms",
                                     "qemu.loadvm_ms")}
    for _ in range(runs):
        figures["e2e.take_ms"].append(alone(avisor.take))
        figures["qemu.savevm_ms"].append(plain.save())
        figures["e2e.restore_ms"].append(alone(avisor.restore))
        figures["qemu.loadvm_ms"].append(plain.load())
        figures["e2e.restore_ms.noundo"].append(alone(avisor.restore, "--no-undo"))
        plain.forget()
    return figures


def measure_one(build, guest, ram, used):
    """Entries of one pair of fresh machines, filled first: a plain QEMU's PL011 takes no input after loadvm."""
    suffix = used + guest.suffix + ("" if ram == 512 else f".ram{ram}")
    entries = []
    avisor = plain = None
    try:
        avisor = Avisor(build, guest, ram)
        plain = Plain(build, guest, ram)
        if used:
            guest.fill(avisor.console, ram)
            guest.fill(plain.console, ram)
            entries.append(entry(f"e2e.take_ms.first{suffix}", "ms", [avisor.take()], "all pages dirty"))
        figures = measure_pair(avisor, plain, RUNS)
        return entries + [entry(name + suffix, "ms", values) for name, values in figures.items()]
    finally:
        if plain:
            plain.end()
        if avisor:
            avisor.end()


def measure(build, rams, say):
    """512 MiB is what a name without .ramN means, Linux one without .tiny, little memory used one without .full."""
    linux = Linux(build)
    entries = []
    if rams and not linux.there:
        raise Failed(f"no Linux guest in {build}/linux: make linux-guest")
    for guest in linux, Tiny(build):
        for ram in rams:
            for used in "", ".full":
                amount = "all" if used else "little"
                say(f"wall clock: {RUNS} runs, {type(guest).__name__}, {ram} MiB, {amount} memory used")
                entries += measure_one(build, guest, ram, used)
    return entries


def rams_that_fit(rams):
    """Those for which memory and tmpfs have room: two guests and a qcow2 file, all used."""
    with open("/proc/meminfo", encoding="utf-8") as file:
        free = {line.split(":")[0]: int(line.split()[1]) >> 10 for line in file}["MemAvailable"]
    room = os.statvfs("/dev/shm")
    room = room.f_bavail * room.f_frsize >> 20
    return [ram for ram in rams if free > ram * 4 + 1024 and room > ram * 3 + 1024]
