# SPDX-License-Identifier: MIT
"""clone.py - instructions of a clone: tests/guests/clone-bench.c in place of the control VM, which alone may make one.

Its results are in the hypervisor's log. Frames: what a clone holds that has not run."""
import json
import os
import re
import subprocess

from machine import Failed, Place, Qemu, entry, wait_for

SET = """version: 1
name: clone
machine: {{cpus: 1, cpu: cortex-a57, memory: {machine}MiB}}
vms:
  - {{name: vm1, image: {build}/guests/heartbeat.elf, memory: {ram}MiB, snapshots: {{memory: 16MiB}}}}
spare: {{count: 1, budget: 8MiB}}
"""
RAMS = {512: 768, 16: 256} # MiB of the VM, of the machine; the first one is `clone`
MOST = 6000


def run_once(build, ram):
    """{name: value} of one run."""
    place = Place(build)
    qemu = None
    try:
        path = place.write("clone.yaml", SET.format(build=build, ram=ram, machine=RAMS[ram]))
        plan = json.loads(place.avctl("-f", path, "up", "-n", "-o", "json",
                                      AVCTL_QEMU_ARGS="-icount shift=0,sleep=off"))
        logs = place.file("state/avisor/clone")
        os.makedirs(plan["runtime_dir"])
        os.makedirs(logs)
        subprocess.run([f"{build}/mkbundle", path, f"{build}/guests/clone-bench.elf", plan["ram_file"]], check=True,
                       stdout=subprocess.DEVNULL)
        qemu = Qemu(place, plan["argv"], plan["runtime_dir"])
        log = os.path.join(logs, "hypervisor.log")

        def results():
            if not os.path.exists(log):
                return None
            with open(log, encoding="utf-8", errors="replace") as file:
                text = file.read()
            wrong = re.search(r"clone-bench: .*|BUG.*", text)
            if wrong:
                raise Failed(wrong.group())
            return text if "print: bench hz " in text else None

        text = wait_for(f"clone of {ram} MiB", 120, results, qemu.alive)
        found = {name: (int(sum_), int(loops)) for name, sum_, loops in
                 re.findall(r"print: bench (\S+) (\d+) (\d+)", text)}
        hz = found["hz"][0]
        return {"clone": found["clone"][0] * 1e9 / hz / found["clone"][1],
                "clone_frames": found["clone_frames"][0] / found["clone_frames"][1]}
    finally:
        if qemu:
            qemu.end()
        place.remove()


def measure(build, runs, rams, say):
    """Entries: clone, and how it depends on the VM's RAM."""
    entries = []
    for ram in [ram for ram in RAMS if ram in rams]:
        say(f"icount: {runs} runs of clones of {ram} MiB")
        results = [run_once(build, ram) for _ in range(runs)]
        suffix = "" if ram == next(iter(RAMS)) else f".ram{ram}"
        for name, unit in ("clone", "instructions"), ("clone_frames", "frames"):
            values = [result[name] for result in results]
            entries.append(entry(name + suffix, unit, values, "the runs differ" if len(set(values)) > 1 else ""))
    return entries


def targets(value):
    """[(met, what)]"""
    return [(cost <= MOST, f"{name} {cost:,.0f} <= {MOST:,}")
            for name in ("clone", "clone.ram16") if (cost := value(name)) is not None]
