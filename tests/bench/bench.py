# SPDX-License-Identifier: MIT
"""bench.py BUILD_DIR [--runs N] [--ram MIB,...] [--wall-ram MIB,...] [--out FILE] - both parts, the table, bench.json and the targets."""
import argparse
import json
import os
import subprocess
import sys

import icount
import wall
from machine import Failed

FASTER = 10  # than savevm and loadvm, at p50


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
                    most = 2000 + page * size
                    result.append((cost <= most, f"{kind}.d{size}.ram{ram} {cost:,.0f} <= {most:,}"))
    for name in icount.BY_SIZE:
        over = [v for v in (value(f"{name}.ram{ram}") for ram in icount.MACHINE) if v is not None]
        if len(over) > 1:
            off = (max(over) / min(over) - 1) * 100
            result.append((off <= 2, f"{name} over all RAM sizes within {off:.2f}% <= 2%"))
    for ours, theirs in (("take_ms", "savevm_ms"), ("restore_ms", "loadvm_ms"), ("restore_ms.noundo", "loadvm_ms")):
        for used in "", ".full":
            fast, slow = value(f"e2e.{ours}{used}"), value(f"qemu.{theirs}{used}")
            if fast and slow:
                result.append((slow >= FASTER * fast,
                               f"e2e.{ours}{used} {fast:.1f} ms: {slow / fast:.1f} times faster than {theirs} >= {FASTER}"))
    return result


def print_table(entries):
    print(f"\n{'name':34}{'unit':13}{'value':>12}{'min':>12}{'max':>12}{'runs':>6}  note")
    for e in entries:
        shown = ["-" if e[key] is None else f"{e[key]:,.1f}" for key in ("value", "min", "max")]
        print(f"{e['name']:34}{e['unit']:13}{shown[0]:>12}{shown[1]:>12}{shown[2]:>12}{e['runs']:>6}  {e['note']}".rstrip())


def numbers(text):
    return [int(word) for word in text.split(",") if word]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--ram", type=numbers, default=list(icount.MACHINE))
    parser.add_argument("--wall-ram", type=numbers, default=[512, 128, 1536])
    parser.add_argument("--out", help="instead of BUILD_DIR/bench.json")
    options = parser.parse_args()
    build = os.path.realpath(options.build)
    say = lambda text: print(text, file=sys.stderr, flush=True)
    entries = []
    try:
        entries += icount.measure(build, options.runs, options.ram, say)
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
    results = targets({e["name"]: e for e in entries})
    print()
    for met, what in results:
        print(f"{'met   ' if met else 'MISSED'} {what}")
    missed = sum(not met for met, _ in results)
    print(f"\n{len(results) - missed} targets met, {missed} missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
