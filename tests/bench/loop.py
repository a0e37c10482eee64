# SPDX-License-Identifier: MIT
"""loop.py - the same pages dirtied and taken back again and again (tests/guests/loop.c), with copy-back off and on:
instructions of a whole cycle, and by wall clock the rate and what one restore takes, as EL2 says and as the guest sees it. The guest fails when a frame is lost.

	python3 tests/bench/loop.py BUILD_DIR ROUNDS	wall clock alone, as a test wants it"""
import os
import sys

from icount import run_set
from machine import Failed, entry

COUNTED, TIMED = (16, 44, 256, 1024), (44, 64, 256)
ROUNDS = 10_000  # in `make bench`; `make soak` has 100,000
MOST_US = 15  # of EL2's own time, 44 pages
FULL_PAGES = 32768  # 128 MiB
ORIGINAL = 2_886_000_000  # instructions of a restore of 128 MiB
BESIDE = {"faults": "faults", "tlbi": "tlbi", "bytes_copied": "bytes", "nodes_copied": "nodes_copied"}

SET = """version: 1
name: bench
machine: {{cpus: 1, cpu: cortex-a57, memory: 256MiB}}
vms:
  - {{name: vm1, image: {build}/guests/loop.elf, memory: 64MiB, clock: follow, snapshots: {{copy-back: {copy_back}}}}}
shm:
  - {{name: board, size: 40KiB, init: "{part}", members: {{vm1: rw}}}}
"""


def run(build, part, copy_back, seconds=300):
    text = SET.format(build=build, part=part, copy_back=str(copy_back).lower())
    return run_set(build, f"loop ({part})", text, "-icount shift=0,sleep=off" if part == "icount" else "", seconds)


def measure(build, runs, say):
    """Instructions: loop.dN is run, faults and restore, warm-up included; restore.dN.copyback the restore alone."""
    entries = []
    for suffix in "", ".copyback":
        say(f"icount: {runs} runs of a loop, copy-back {'on' if suffix else 'off'}")
        results = [run(build, "icount", bool(suffix)) for _ in range(runs)]
        for size in COUNTED:
            names = {f"loop.d{size}{suffix}": "instructions"}
            names |= {f"loop.d{size}{suffix}.{what}": unit for what, unit in BESIDE.items()}
            if suffix:
                names[f"restore.d{size}{suffix}"] = "instructions"
            for name, unit in names.items():
                values = [result[name] for result in results]
                entries.append(entry(name, unit, values, "the runs differ" if len(set(values)) > 1 else ""))
    page = [result["memcpy.page"] for result in results]
    entries.append(entry("memcpy.page", "instructions", page, "4 KiB, pairs of Q registers, unrolled"))
    return entries


def cycles(value):
    """Lines: whole cycles (run, faults and restore) beside what others do for the same."""
    page = value("memcpy.page")
    if not page or not value("loop.d44.copyback"):
        return []
    full = page * FULL_PAGES
    lines = [f"{'whole cycle, instructions':32}{'':>13}{'times less than':>18}{'':>16}{'':>16}   beside each: faults, TLBI, KiB, tables",
             f"{'dirty pages':32}{'':>13}{'full copy 128 MiB':>18}{'the original':>16}{'copy of dirty':>16}"]
    for size in COUNTED:
        for suffix in "", ".copyback":
            name = f"loop.d{size}{suffix}"
            cost = value(name)
            beside = [value(f"{name}.{what}") for what in BESIDE]
            lines.append(f"{size} {'copied back' if suffix else 'faulted in':27}".ljust(32) + f"{cost:13,.0f}{full / cost:18,.1f}"
                         f"{ORIGINAL / cost:16,.0f}{page * size / cost:16.2f}   {beside[0]:.0f}, {beside[1]:.0f}, "
                         f"{beside[2] / 1024:.0f}, {beside[3]:.0f}")
    lines.append(f"full copy: {full:,.0f}; the original Avisor's restore: {ORIGINAL:,}, as published")
    return lines


def measure_wall(build, rounds, say):
    """
    rate.dN: restores a second. restoreN_us: one restore, EL2's own time, from stopping the VM's vCPUs to letting them go; .guest:
    from the guest's call to its next instruction, exit, entry and the emulator's first look at flushed TLBs included.
    """
    entries = []
    for suffix in "", ".copyback":
        say(f"wall clock: {rounds} restores each of {TIMED} pages, copy-back {'on' if suffix else 'off'}")
        seen = run(build, f"wall {rounds}", bool(suffix), 60 + rounds // 50)
        own = run(build, f"own {min(rounds, ROUNDS)}", bool(suffix), 60 + rounds // 50)
        for size in TIMED:
            note = f"{rounds} restores, no frame lost"
            entries.append(entry(f"rate.d{size}{suffix}", "1/s", [1e9 / seen[f"loop.d{size}{suffix}"]], note))
            for name, result in ("", own), (".guest", seen):
                p50, p99 = (result[f"restore.d{size}{suffix}.p{p}_ns"] / 1000 for p in (50, 99))
                entries.append(entry(f"restore{size}_us{suffix}{name}", "us", [p50], f"p50; p99 {p99:.1f}"))
    return entries


def targets(value):
    """[(met, what)]: copying back is worth it, no table is copied in a round; how long a fuzzer's restore takes EL2."""
    result = []
    if value("restore44_us"):
        result.append((value("restore44_us") <= MOST_US, f"restore44_us {value('restore44_us'):.1f} <= {MOST_US} (p50, wall clock)"))
    for size in COUNTED:
        off, on = value(f"loop.d{size}"), value(f"loop.d{size}.copyback")
        if off and on:
            result.append((on < off, f"loop.d{size}.copyback {on:,.0f} < {off:,.0f} without"))
            tables = value(f"loop.d{size}.nodes_copied")
            result.append((tables == 0, f"loop.d{size}.nodes_copied {tables:.0f}: tables stay private between restores"))
    return result


def main():
    say = lambda text: print(text, file=sys.stderr, flush=True)
    try:
        for e in measure_wall(os.path.realpath(sys.argv[1]), int(sys.argv[2]), say):
            print(f"{e['name']} {e['value']:,.1f} {e['unit']} ({e['note']})")
    except Failed as why:
        print(why)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
