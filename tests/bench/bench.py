# SPDX-License-Identifier: MIT
"""bench.py BUILD_DIR [--runs N] [--ram MIB,...] [--wall-ram MIB,...] [--out FILE] - all parts of the benchmarks.

Prints the table and whether the targets are met, writes bench.json."""
import argparse
import json
import os
import signal
import subprocess
import sys

import boot
import clone
import exits
import icount
import loop
import share
import wall
from machine import Failed

KEEP = 1000  # instructions of a take or a restore besides its pages
WALL_SHARE = 5 # runs
FASTER = {"": 10, ".full": 10, ".ram128": 15, ".full.ram2048": 200}  # times, than savevm and loadvm, at p50
MOST = {"restore.other.d0": 2500, "restore.other.d16": 2500, "restore.other.d4096": 2500, "first_write": 650,
        "first_write.new_region": 1600}
DEEP = {"depth1000.take.d16": "take.d16", "depth1000.restore.d16": "restore.base.d16",
        "depth1000.restore.other.d16": "restore.other.d16"}


def spreads(value):
    """[(name, percent)]: how far a cost differs between RAM sizes."""
    result = []
    for name in icount.BY_SIZE:
        over = [v for v in (value(f"{name}.ram{ram}") for ram in icount.MACHINE) if v is not None]
        if len(over) > 1:
            result.append((name, (max(over) / min(over) - 1) * 100))
    return result


def targets(figures):
    """[(met, what)] for all that was measured."""
    def value(name):
        return figures.get(name, {}).get("value")

    result = []
    counts = [e for e in figures.values() if e["unit"] == "instructions" and e["value"] is not None]
    if counts:
        result.append((all(e["min"] == e["max"] for e in counts), f"{counts[0]['runs']} runs are identical"))
    for kind, page in ("take", 8), ("restore.base", 20):
        for size in icount.SIZES:
            for ram in icount.MACHINE:
                cost = value(f"{kind}.d{size}.ram{ram}")
                if cost is not None:
                    most = KEEP + page * size
                    result.append((cost <= most, f"{kind}.d{size}.ram{ram} {cost:,.0f} <= {most:,}"))
    for name, off in spreads(value):
        result.append((off <= 1, f"{name} over all RAM sizes within {off:.2f}% <= 1%"))
    for name, most in MOST.items():
        cost = value(name)
        if cost is not None:
            result.append((cost <= most, f"{name} {cost:,.0f} <= {most:,}"))
    for deep, flat in DEEP.items():
        if value(deep) and value(flat):
            off = abs(value(deep) / value(flat) - 1) * 100
            result.append((off <= 1, f"{deep} {value(deep):,.0f} within {off:.2f}% <= 1% of {flat}"))
    if value("doorbell_rtt") is not None:
        result.append((value("doorbell_rtt") <= 2000, f"doorbell_rtt {value('doorbell_rtt'):,.0f} <= 2,000"))
    result += exits.targets(value) + boot.targets(value) + clone.targets(value) + share.targets(value)
    for suffix, least in FASTER.items():
        result += [(times >= least, f"{what} >= {least}") for times, what in faster(value, suffix)]
    result += loop.targets(value)
    return result


def faster(value, suffix):
    """[(how many times faster than QEMU at p50, what)]"""
    result = []
    for ours, theirs in (("take_ms", "savevm_ms"), ("restore_ms", "loadvm_ms"), ("restore_ms.noundo", "loadvm_ms")):
        fast, slow = value(f"e2e.{ours}{suffix}"), value(f"qemu.{theirs}{suffix}")
        if fast and slow:
            times = slow / fast
            result.append((times, f"e2e.{ours}{suffix} {fast:.1f} ms: {times:.1f} times faster than {theirs}"))
    return result


def alias(entries, name, other):
    return [dict(e, name=name) for e in entries if e["name"] == other]


def print_table(entries):
    print(f"\n{'name':40}{'unit':13}{'value':>12}{'min':>12}{'max':>12}{'runs':>6}  note")
    for e in entries:
        shown = ["-" if e[key] is None else f"{e[key]:,.1f}" for key in ("value", "min", "max")]
        columns = "".join(f"{text:>12}" for text in shown)
        print(f"{e['name']:40}{e['unit']:13}{columns}{e['runs']:>6}  {e['note']}".rstrip())


def numbers(text):
    return [int(word) for word in text.split(",") if word]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--ram", type=numbers, default=list(icount.MACHINE))
    parser.add_argument("--wall-ram", type=numbers, default=[512, 128, 2048])
    parser.add_argument("--out", help="instead of BUILD_DIR/bench.json")
    options = parser.parse_args()
    build = os.path.realpath(options.build)
    say = lambda text: print(text, file=sys.stderr, flush=True)
    entries = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143)) # what was started is ended
    try:
        entries += exits.measure(build, options.runs, say)
        entries += icount.measure(build, options.runs, options.ram, say)
        entries += icount.measure_vcpus(build, min(options.runs, 3), say)
        entries += clone.measure(build, options.runs, options.ram, say)
        entries += alias(entries, "depth1000.restore", "depth1000.restore.d16")
        entries += loop.measure(build, options.runs, say)
        entries += share.measure(build, options.runs, WALL_SHARE if options.wall_ram else 0, say)
        entries += icount.measure_bells(build, options.runs, say)
        entries += boot.measure_image(build)
        if options.wall_ram:
            entries += boot.measure(build, say)
            entries += loop.measure_wall(build, loop.ROUNDS, say)
        fit = wall.rams_that_fit(options.wall_ram)
        for ram in options.wall_ram:
            if ram not in fit:
                say(f"wall clock: {ram} MiB skipped, this host has no room for it")
        entries += wall.measure(build, fit, say)
    except (Failed, OSError, subprocess.SubprocessError) as why:
        say(f"bench: {why}")
        return 2
    with open(options.out or os.path.join(build, "bench.json"), "w", encoding="utf-8") as file:
        json.dump(entries, file, indent=1)
        file.write("\n")
    print_table(entries)
    figures = {e["name"]: e for e in entries}
    results = targets(figures)
    print()
    for line in loop.cycles(lambda name: figures.get(name, {}).get("value")):
        print(line)
    print()
    for met, what in results:
        print(f"{'met   ' if met else 'MISSED'} {what}")
    # No target: nearly all of the smallest guest's time is a process that starts, or QEMU looking at empty RAM.
    for suffix in ".tiny", ".full.tiny":
        for _, what in faster(lambda name: figures.get(name, {}).get("value"), suffix):
            print(f"       {what}")
    missed = sum(not met for met, _ in results)
    print(f"\n{len(results) - missed} targets met, {missed} missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
