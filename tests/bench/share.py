# SPDX-License-Identifier: MIT
"""share.py - memory that two VMs share: lock handovers and rings (tests/guests/share-bench.c), beside the same exchange over a
pair of consoles that this program connects, and a plain memcpy. Instructions with both VMs on one CPU, wall clock with one each."""
import json
import os
import select
import subprocess
import threading

from icount import read_results
from machine import Failed, Line, Place, Qemu, entry, wait_for

SET = """version: 1
name: share
machine: {{cpus: {cpus}, cpu: cortex-a57, memory: 256MiB}}
vms:
  - {{name: vm1, image: {build}/guests/share-bench.elf, memory: 16MiB, clock: follow, cpu: 0}}
  - {{name: vm2, image: {build}/guests/share-bench.elf, memory: 16MiB, clock: follow, cpu: {last}}}
shm:
  - {{name: board, size: 2MiB, init: "{part}", members: {{vm1: rw, vm2: rw}}}}
"""

MIB = 1 << 20
MESSAGE = 64  # bytes


def console_text(place, name="vm1"):
    path = place.file(f"state/avisor/share/{name}.console.log")
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().replace("\r", "")


def results(place):
    """The console of the first VM when it is done; what is wrong on either is Failed, by read_results."""
    text = console_text(place)
    for other in (text, console_text(place, "vm2")):
        if "bench: " in other:
            return other
    return text if "bench done " in text else None


def count_once(build):
    place = Place(build)
    qemu = None
    try:
        path = place.write("share.yaml", SET.format(build=build, cpus=1, last=0, part="icount"))
        plan = json.loads(place.avctl("-f", path, "up", "-n", "-o", "json", AVCTL_QEMU_ARGS="-icount shift=0,sleep=off"))
        os.makedirs(plan["runtime_dir"])
        os.makedirs(place.file("state/avisor/share"))
        subprocess.run([f"{build}/mkbundle", path, f"{build}/control.elf", plan["ram_file"]], check=True,
                       stdout=subprocess.DEVNULL)
        qemu = Qemu(place, plan["argv"], plan["runtime_dir"])
        return read_results(wait_for("lock and ring", 300, lambda: results(place), qemu.alive))
    finally:
        if qemu:
            qemu.end()
        place.remove()


def connect(one, two, stop):
    """Every byte of one console to the other, until stop is set."""
    ends = {one.fileno(): two, two.fileno(): one}
    while not stop.is_set():
        for fd in select.select(list(ends), [], [], 0.1)[0]:
            data = os.read(fd, 65536)
            if not data:
                return
            ends[fd].sendall(data)


def wall_once(build):
    place = Place(build)
    stop = threading.Event()
    pump = None
    try:
        path = place.write("share.yaml", SET.format(build=build, cpus=2, last=1, part="wall"))
        place.avctl("-f", path, "up", "--timeout", "60s")
        lines = [Line(place.file(f"run/avisor/share/{name}.console")) for name in ("vm1", "vm2")]
        wait_for("rings", 300, lambda: "bench consoles\n" in console_text(place) and
                 "bench other console\n" in console_text(place, "vm2") or "bench: " in str(results(place)))
        for line in lines:
            line.socket.setblocking(False)
            try:
                while line.socket.recv(65536): # what was printed so far is not for the other one
                    pass
            except BlockingIOError:
                pass
            line.socket.setblocking(True)
        pump = threading.Thread(target=connect, args=(lines[0].socket, lines[1].socket, stop))
        for line in lines:
            line.say("G")
        pump.start()
        return read_results(wait_for("consoles", 300, lambda: results(place)))
    finally:
        stop.set()
        if pump:
            pump.join()
        try:
            place.avctl("-s", "share", "down")
        finally:
            place.remove()


def measure(build, runs, walls, say):
    """Entries. read_results() gives nanoseconds (of virtual time: instructions under icount) for one of COUNT."""
    entries = []
    say(f"shared memory: {runs} runs of instructions, {walls} of wall clock")
    counts = [count_once(build) for _ in range(runs)]
    for name in "lock_handover", "ring_message":
        entries.append(entry(name, "instructions", [count[name] for count in counts]))
    entries.append(entry(f"memcpy.{MESSAGE}b", "instructions", [count["memcpy"] * MESSAGE for count in counts]))
    entries.append(entry("memcpy.rtt", "instructions", [count["memcpy"] * MESSAGE * 2 for count in counts],
                         f"{MESSAGE} bytes there and back; beside doorbell_rtt"))
    times = [wall_once(build) for _ in range(walls)]
    if not times:
        return entries

    def rate(name, unit, what, per):
        entries.append(entry(name, unit, [1e9 / time[what] / per for time in times]))

    rate("ring_mb_s", "MiB/s", "ring_stream", MIB)
    rate("memcpy_mb_s", "MiB/s", "memcpy", MIB)
    rate("console_mb_s", "MiB/s", "console_stream", MIB)
    rate("ring_msgs_s", "64 B/s", "ring_message", 1)
    rate("memcpy_msgs_s", "64 B/s", "memcpy", MESSAGE)
    rate("console_msgs_s", "64 B/s", "console_stream", MESSAGE)
    for name in "lock_handover", "console_handover":
        entries.append(entry(f"{name}_us.smp2", "us", [time[name] / 1000 for time in times]))
    beside = "there and back; beside doorbell_rtt_us.smp2"
    entries.append(entry("console_rtt_us.smp2", "us", [time["console_handover"] / 500 for time in times], beside))
    entries.append(entry("memcpy_rtt_us", "us", [time["memcpy"] * MESSAGE / 500 for time in times], beside))
    return entries


def targets(value):
    """[(met, what)]"""
    wanted = []
    handover, stream = value("lock_handover"), value("ring_mb_s")
    if handover is not None:
        wanted.append((handover <= 5000, f"lock_handover {handover:,.0f} <= 5,000"))
    if stream is not None:
        wanted.append((stream >= 50, f"ring_mb_s {stream:,.0f} >= 50"))
    return wanted
