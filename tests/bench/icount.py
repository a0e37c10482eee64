# SPDX-License-Identifier: MIT
"""icount.py - instruction counts of tests/guests/bench.c under -icount, where a nanosecond of the guest is an instruction.

One vCPU, one CPU, cortex-a57, the release image, no host client; the guest leaves its results on its console."""
import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from machine import Failed, Place, Qemu, entry, wait_for

SIZES = (0, 16, 256, 1024, 4096)
BY_SIZE = [f"{kind}.d{size}" for kind in ("take", "restore.base", "restore.other") for size in SIZES]
BY_RAM = ["first_write", *BY_SIZE]
ONCE = ("first_write.new_region", "restore.base.d44", "cycle.d16", "cycle.d44", "cycle.d256", "cycle.d1024",
        "restore.other.cycle.d16", "depth1000.take.d16", "depth1000.restore.d16", "depth1000.restore.other.d16")
CYCLES = [name for name in ONCE if "cycle" in name]
COUNTS = {"idle_snapshot_bytes": "bytes"}
COUNTS |= {f"{name}.{what}": what for name in CYCLES for what in ("faults", "tlbi", "pages_copied", "nodes_copied")}
MACHINE = {16: 256, 512: 768, 1536: 2048, 3072: 3584}  # MiB of the VM, of the machine
ROOM = {3072: 5 << 30}  # bytes of tmpfs that must be free
MAIN = 512

SET = """version: 1
name: bench
machine: {{cpus: 1, cpu: cortex-a57, memory: {machine}MiB}}
vms:
  - {{name: vm1, image: {build}/guests/bench.elf, memory: {ram}MiB, clock: follow}}
shm:
  - {{name: board, size: 4KiB, members: {{vm1: rw}}}}
"""

BELLS = """version: 1
name: bench
machine: {{cpus: {cpus}, cpu: cortex-a57, memory: 256MiB}}
vms:
  - {{name: vm1, image: {build}/guests/bell-bench.elf, memory: 16MiB, cpu: 0}}
  - {{name: vm2, image: {build}/guests/bell-bench.elf, memory: 16MiB, cpu: {other}}}
shm:
  - {{name: bell, size: 4KiB, members: {{vm1: rw, vm2: rw}}}}
"""


def read_results(text):
    """{name: instructions} of a console; Failed when the guest says so."""
    wrong = re.search(r"^bench: .*", text, re.M)
    if wrong:
        raise Failed(wrong.group())
    hz = int(re.search(r"^bench done hz=(\d+)", text, re.M).group(1))
    counts = {name: int(value) for name, value in re.findall(r"^count (\S+) (\d+)\s*$", text, re.M)}
    counts |= {f"{name}.beside": tuple(map(int, rest.split()))
               for name, rest in re.findall(r"^beside (\S+)((?: \d+){4})\s*$", text, re.M)}
    found = re.findall(r"^bench (\S+) (\d+) (\d+)\s*$", text, re.M)
    return counts | {name: int(ticks) * 1_000_000_000 / hz / int(loops) for name, ticks, loops in found
                     if name != "empty"}


def run_once(build, ram):
    return run_set(build, f"bench of {ram} MiB", SET.format(build=build, ram=ram, machine=MACHINE[ram]),
                   "-icount shift=0,sleep=off")


def has_room(ram):
    if ram not in ROOM or not os.access("/dev/shm", os.W_OK):
        return True
    room = os.statvfs("/dev/shm")
    return room.f_bavail * room.f_frsize >= ROOM[ram]


def run_set(build, what, text, qemu_args, seconds=300):
    """Results of vm1 of this set."""
    place = Place(build)
    qemu = None
    try:
        path = place.write("bench.yaml", text)
        plan = json.loads(place.avctl("-f", path, "up", "-n", "-o", "json", AVCTL_QEMU_ARGS=qemu_args))
        logs = place.file("state/avisor/bench")
        os.makedirs(plan["runtime_dir"])
        os.makedirs(logs)
        subprocess.run([f"{build}/mkbundle", path, f"{build}/control.elf", plan["ram_file"]], check=True,
                       stdout=subprocess.DEVNULL)
        qemu = Qemu(place, plan["argv"], plan["runtime_dir"])
        console = os.path.join(logs, "vm1.console.log")

        def results():
            if not os.path.exists(console):
                return None
            with open(console, encoding="utf-8", errors="replace") as file:
                text = file.read().replace("\r", "")
            return text if re.search(r"^bench done .*\n", text, re.M) else None

        return read_results(wait_for(what, seconds, results, qemu.alive))
    except Failed as why:
        logs = [tail(place.file(name)) for name in ("qemu.log", "state/avisor/bench/hypervisor.log")]
        raise Failed(f"{why}; {'; '.join(logs)}") from None
    finally:
        if qemu:
            qemu.end()
        place.remove()


def measure_vcpus(build, runs, say):
    """What one more vCPU adds to a take and a restore to the base together; it is off, its state is kept all the same."""
    say(f"icount: {runs} runs with 1 and with 2 vCPUs")
    text = SET.format(build=build, ram=16, machine=MACHINE[16])
    sums = []
    for cpus in 1, 2:
        more = text.replace("clock: follow", f"clock: follow, cpus: {cpus}")
        results = [run_set(build, f"{cpus} vCPUs", more, "-icount shift=0,sleep=off") for _ in range(runs)]
        sums.append([result["take.d0"] + result["restore.base.d0"] for result in results])
    return [entry("vcpu_extra", "instructions", [two - one for one, two in zip(*sums)],
                  "take and restore to the base, a second vCPU that is off")]


def measure_bells(build, runs, say):
    """Round trips of a doorbell: instructions of two VMs on one CPU, microseconds of two on two."""
    say(f"icount: {runs} runs of two VMs and a doorbell")
    one = BELLS.format(build=build, cpus=1, other=0)
    two = BELLS.format(build=build, cpus=2, other=1)
    counts = [run_set(build, "doorbell", one, "-icount shift=0,sleep=off") for _ in range(runs)]
    times = [run_set(build, "doorbell", two, "") for _ in range(min(runs, 3))]
    entries = []
    for name in "doorbell_rtt", "doorbell_rtt.three_calls":
        values = [count[name] for count in counts]
        entries.append(entry(name, "instructions", values, "the runs differ" if len(set(values)) > 1 else ""))
    entries.append(entry("doorbell_rtt_us.smp2", "us", [time["doorbell_rtt"] / 1000 for time in times]))
    return entries


def tail(path):
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8", errors="replace") as file:
        return " | ".join(file.read().splitlines()[-3:])


def measure(build, runs, rams, say):
    """Entries; counts do not depend on what else this host does, so two QEMUs run at a time."""
    entries = []
    for ram in rams:
        results = []
        if has_room(ram):
            say(f"icount: {runs} runs with {ram} MiB")
            with ThreadPoolExecutor(2) as pool:
                results = list(pool.map(lambda _, ram=ram: run_once(build, ram), range(runs)))
        else:
            say(f"icount: {ram} MiB skipped, /dev/shm has no {ROOM[ram] >> 30} GiB free")
        for name in (*BY_RAM, *ONCE, *COUNTS):
            values = [result[name] for result in results if name in result]
            note = "" if values else f"does not fit {ram} MiB" if results else "skipped: too little tmpfs"
            beside = {result[f"{name}.beside"] for result in results if f"{name}.beside" in result}
            if len(set(values)) > 1 or len(beside) > 1:
                note = "the runs differ"
            elif beside:
                note = "exits {}, TLBI {}, bytes copied {}, tables {}".format(*beside.pop())
            if ram == MAIN:
                entries.append(entry(name, COUNTS.get(name, "instructions"), values, note))
            if name in BY_RAM:
                entries.append(entry(f"{name}.ram{ram}", "instructions", values, note))
    return entries
