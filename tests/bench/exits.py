# SPDX-License-Identifier: MIT
"""exits.py - what one exit costs (tests/guests/exits.c), beside the same image on a plain QEMU, both under -icount."""
import os

import icount
from machine import Place, Qemu, entry, wait_for

NAMES = ("hvc_null", "smc_null", "hvc_unknown", "gicd_read", "uart_read", "idreg_read", "timer_irq_spin",
         "timer_irq_wfi", "first_touch")
MOST = {"hvc_null": 180, "smc_null": 200, "hvc_unknown": 200, "gicd_read": 220, "uart_read": 230, "idreg_read": 150,
        "timer_irq_spin": 190, "timer_irq_wfi": 190, "first_touch": 450}
ICOUNT = "-icount shift=0,sleep=off"

SET = """version: 1
name: bench
machine: {{cpus: 1, cpu: cortex-a57, memory: 512MiB}}
vms:
  - {{name: vm1, image: {build}/guests/exits.elf, memory: 256MiB}}
"""


def with_avisor(build, qemu_args=ICOUNT):
    return icount.run_set(build, "exits", SET.format(build=build), qemu_args)


def plain_argv(place, *more):
    """A board like a VM's, its console in place's file `console`."""
    return ["qemu-system-aarch64", "-M", "virt,gic-version=3", "-cpu", "cortex-a57", "-smp", "1", "-m", "256M",
            "-accel", "tcg,thread=single", "-nodefaults", "-no-user-config", "-display", "none", "-chardev",
            f"file,id=console,path={place.file('console')}", "-serial", "chardev:console", *more]


def plain_text(place):
    """What its guest has said."""
    if not os.path.exists(place.file("console")):
        return ""
    with open(place.file("console"), encoding="utf-8", errors="replace") as file:
        return file.read().replace("\r", "")


def with_plain(build, *more):
    place = Place(build)
    qemu = None
    try:
        qemu = Qemu(place, plain_argv(place, "-kernel", f"{build}/guests/exits.elf", *more), place.path)

        def results():
            text = plain_text(place)
            return text if "\nbench done " in text and text.endswith("\n") else None

        return icount.read_results(wait_for("exits without Avisor", 300, results, qemu.alive))
    finally:
        if qemu:
            qemu.end()
        place.remove()


def measure(build, runs, say):
    say(f"exits: {runs} runs, and {min(runs, 2)} without Avisor")
    ours = [with_avisor(build) for _ in range(runs)]
    theirs = [with_plain(build, *ICOUNT.split()) for _ in range(min(runs, 2))]
    entries = []
    for name in NAMES:
        values = [run[name] for run in ours]
        entries.append(entry(name, "instructions", values, "the runs differ" if len(set(values)) > 1 else ""))
        plain = [run[name] for run in theirs if name in run]
        entries.append(entry(f"{name}.plain", "instructions", plain, "" if plain else "not there"))
    return entries


def targets(value):
    """[(met, what)]"""
    return [(value(name) <= most, f"{name} {value(name):,.1f} <= {most}") for name, most in MOST.items()
            if value(name) is not None]
