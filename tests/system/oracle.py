# SPDX-License-Identifier: MIT
"""oracle.py SET_FOLDER RAM_FILE SEED OPERATIONS - random operations on the VMs of a running set, compared with a model.

The guest of each VM (tests/guests/oracle.c) writes and executes what this tells it, so this knows without asking the
hypervisor what every page must hold; the pages themselves are read out of the machine's RAM file, where SNAPSHOT_DIFF says
they lie. After each operation: the VM's memory against the model, one of its snapshots against what it held when it was
taken, and an audit. Prints what it did; exit code 1 with the difference, the operation's number and the seed."""
import json
import mmap
import os
import random
import socket
import struct
import sys
import time
import zlib

RAM = 0x40000000  # of the machine in its file, and of each VM
WORK = 0x40800000  # the pages the orders are about
PAGES = 2048
PAGE = 4096
ZERO = bytes(PAGE)
WRITE, EXECUTE, READ = 1, 2, 3
LIMIT = 60
KEEP = 7   # `keep` of each VM


class Wrong(Exception):
    """The machine is not what the model says."""


class Agent:
    """The control port: one request, its rows and its last line."""

    def __init__(self):
        self.port = socket.socket(socket.AF_UNIX)
        self.port.settimeout(LIMIT)
        self.port.connect("control")
        self.lines = self.port.makefile()
        self.number = 0x1000

    def ask(self, words, refused=None):
        """(rows, fields of the answer); refused: error codes that may come, then None for the fields."""
        self.number += 1
        tag = f"{self.number:x}"
        self.port.sendall(f"\n{tag} {words}\n".encode())
        rows = []
        for line in self.read(words):
            if not line.startswith(tag + " "):
                continue
            kind, _, rest = line[len(tag) + 1:].strip().partition(" ")
            fields = dict(word.split("=", 1) for word in rest.split() if "=" in word)
            if kind == "row":
                rows.append(fields)
            elif kind == "ok":
                return rows, fields
            elif refused and fields.get("code") in ((refused,) if isinstance(refused, str) else refused):
                return rows, None
            else:
                raise Wrong(f"{words}: {line[len(tag) + 1:].strip()}")
        raise Wrong(f"{words}: no answer")


    def read(self, words):
        try:
            for line in self.lines:  # not "yield from", which would close it
                yield line
        except TimeoutError:
            raise Wrong(f"{words}: no answer in {LIMIT} s") from None


class Ram:
    def __init__(self, path):
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 0)

    def page(self, pa):
        return self.map[pa - RAM:pa - RAM + PAGE] if pa else ZERO


class Page:
    """First and last word of a page of the work area; what the others are is zero."""

    def __init__(self, first=0, last=0):
        self.first, self.last = first, last

    def bytes(self):
        return struct.pack("<Q", self.first) + bytes(PAGE - 16) + struct.pack("<Q", self.last)


class Snapshot:
    """part: number of the set snapshot it is part of; clones: how many VMs were made from it. Either keeps it from going."""

    def __init__(self, pages, crcs, part=None):
        self.pages, self.crcs, self.part, self.pinned, self.clones = pages, crcs, part, False, 0

    def stays(self):
        return self.pinned or self.part is not None or self.clones


class Clone:
    """A VM made from snapshot `number` of `vm`: it has no desk, so nobody knows what it does once it runs; only where it began."""

    def __init__(self, name, slot, vm, number, content):
        self.name, self.slot, self.vm, self.number, self.content = name, slot, vm, number, content
        self.parts = {}  # number of a set snapshot: (number of its part, content)


class Vm:
    def __init__(self, name, vcpus, agent, ram, desk):
        self.name, self.vcpus, self.agent, self.ram, self.desk = name, vcpus, agent, ram, desk
        self.pages = {}  # number in the work area: Page
        self.snapshots = {}
        self.boot = None
        self.next_id = 0
        self.evictions = 0

    # ---- the guest

    def word(self, cpu, index):
        return struct.unpack_from("<Q", self.ram.map, self.desk + cpu * PAGE + 8 * index)[0]

    def put(self, cpu, index, value):
        struct.pack_into("<Q", self.ram.map, self.desk + cpu * PAGE + 8 * index, value)

    def wait(self, what, ready):
        deadline = time.monotonic() + LIMIT
        while not ready():
            if time.monotonic() > deadline:
                raise Wrong(f"{self.name}: {what}: the guest does not answer: {self.agent.ask('vm vm=' + self.name)[0]}")
            time.sleep(0)

    def give(self, cpu, orders):
        for i, (kind, page, value) in enumerate(orders):
            for k, word in enumerate((kind, WORK + page * PAGE, value, 0)):
                self.put(cpu, 4 + 4 * i + k, word)
        self.put(cpu, 2, len(orders))
        self.put(cpu, 0, self.word(cpu, 0) + 1)

    def finish(self, cpu, orders):
        self.wait("orders", lambda: self.word(cpu, 1) == self.word(cpu, 0))
        for i, (kind, number, value) in enumerate(orders):
            page = self.pages.setdefault(number, Page())
            wanted = value & 0xffff if kind == EXECUTE else page.first
            result = self.word(cpu, 4 + 4 * i + 3)
            if result != wanted:
                raise Wrong(f"{self.name} vCPU {cpu}: page {number} gave {result:#x}, wanted {wanted:#x}")
            if kind == WRITE:
                self.pages[number] = Page(value, value)
            elif kind == EXECUTE:
                self.pages[number] = Page(0xd65f03c0 << 32 | 0x52800000 | (value & 0xffff) << 5, page.last)

    def wait_ready(self, before):
        for cpu in range(self.vcpus):
            self.wait("start", lambda cpu=cpu: self.word(cpu, 3) > before[cpu])

    # ---- its memory

    def differences(self, b, a="boot", name=None):
        """{ipa: (frame of a, frame of b)}; name: of a clone instead of this VM"""
        found, start = {}, "0x0"
        while True:
            rows, end = self.agent.ask(f"diff vm={name or self.name} a={a} b={b} from={start}")
            for row in rows:
                for i in range(int(row["count"])):
                    frames = [int(row[key], 16) for key in ("pa_a", "pa_b")]
                    found[int(row["ipa"], 16) + i * PAGE] = [pa + i * PAGE if pa else 0 for pa in frames]
            start = end["next"]
            if int(start, 16) == 0xffffffffffffffff:
                return found

    def crcs(self, which):
        """Of all pages that are not what boot has there."""
        found = {}
        for ipa, (boot, pa) in self.differences(which).items():
            page = self.ram.page(pa)
            if page != self.ram.page(boot):
                found[ipa] = zlib.crc32(page)
        return found

    def content(self, which, name=None):
        """Of all pages that are not zero."""
        found = {}
        for ipa, (_, pa) in self.differences(which, "none", name).items():
            page = self.ram.page(pa)
            if page != ZERO:
                found[ipa] = zlib.crc32(page)
        return found

    def check_work(self, what):
        """The VM, paused, holds what the orders made of it."""
        frames = self.differences("live")
        for number in set(self.pages) | {(ipa - WORK) // PAGE for ipa in frames if ipa >= WORK}:
            page = self.ram.page(frames.get(WORK + number * PAGE, (0, 0))[1])
            if page != self.pages.get(number, Page()).bytes():
                raise Wrong(f"{self.name} after {what}: page {number} holds {page[:8].hex()}.. {page[-8:].hex()}")

    def check_snapshot(self, which, crcs, what):
        now = self.crcs(which)
        if now != crcs:
            ipa = sorted(k for k in set(now) | set(crcs) if now.get(k) != crcs.get(k))[0]
            raise Wrong(f"{self.name} after {what}: {which} differs at {ipa:#x}")

    def full(self):
        """A take can make no room by giving up one of its own."""
        return len(self.snapshots) == KEEP and all(snapshot.stays() for snapshot in self.snapshots.values())

    def ids(self):
        rows = self.agent.ask(f"snapshots vm={self.name}")[0]
        return {int(row["id"]): row for row in rows if row["id"] not in ("boot", "undo")}

    def check_list(self, evicted=0):
        """Only the oldest ones that are not pinned may be gone, and only as many as were reported."""
        there = self.ids()
        gone = [i for i in sorted(self.snapshots) if i not in there]
        oldest = [i for i in sorted(self.snapshots) if not self.snapshots[i].stays()][:len(gone)]
        if gone != oldest or len(gone) != evicted:
            raise Wrong(f"{self.name}: {gone} are gone, {oldest} are the oldest, {evicted} were reported")
        for i in gone:
            del self.snapshots[i]
        self.evictions += len(gone)
        if set(there) != set(self.snapshots):
            raise Wrong(f"{self.name}: there are {sorted(there)}, wanted {sorted(self.snapshots)}")


class Run:
    def __init__(self, agent, ram, seed):
        self.agent, self.random = agent, random.Random(seed)
        self.clones, self.sets, self.clone_number, self.next_set = [], {}, 0, 0
        self.refused = self.sets_evicted = 0
        desk = int(agent.ask("regions")[0][0]["pa"], 16) - RAM
        rows = [row for row in agent.ask("vms")[0] if row["name"] != "control"]
        self.slots = [row["name"] for row in rows if row["state"] == "empty"]
        rows = [row for row in rows if row["state"] != "empty"]
        self.vms = [Vm(row["name"], int(row["vcpus"]), agent, ram, desk + (int(row["index"]) - 1) * 8 * PAGE)
                    for row in rows]
        self.tag = 0x1000
        self.done = dict.fromkeys(self.kinds, 0)

    def begin(self):
        for vm in self.vms:
            vm.wait_ready([0] * vm.vcpus)
        for vm in self.vms:
            self.agent.ask(f"restart vm={vm.name} paused=1")
            self.agent.ask(f"drain vm={vm.name}")
            vm.boot = vm.crcs("live")
        return self.free()

    def free(self):
        return int(self.agent.ask("machine")[0][0]["frames_free"])

    def end(self):
        """All snapshots and clones gone, all VMs as at first: the free frames."""
        for vm in self.vms:
            for i, snapshot in vm.snapshots.items():
                self.agent.ask(f"set vm={vm.name} id={i} pinned=0")
                snapshot.pinned = False
        for number in sorted(self.sets, reverse=True):  # clones of its parts are in no older one
            for clone in [c for c in self.clones if self.sets[number].get(c.vm.name) == c.number]:
                self.remove(clone)
            if not self.delete_set(number):
                raise Wrong(f"set {number} does not go")
        for clone in self.random.sample(self.clones, len(self.clones)):
            self.remove(clone)
        self.agent.ask("delete-all undo=1", refused="NOT_FOUND")
        for vm in self.vms:
            for i in self.random.sample(sorted(vm.snapshots), len(vm.snapshots)):
                self.agent.ask(f"delete vm={vm.name} id={i}")
            self.agent.ask(f"delete vm={vm.name} undo=1", refused="NOT_FOUND")
            self.agent.ask(f"restart vm={vm.name} paused=1")
            self.agent.ask(f"drain vm={vm.name}")
            self.agent.ask(f"audit vm={vm.name}")
        return self.free()

    # ---- the operations: each leaves the VM running, and says what it did

    def any_page(self):
        kind = self.random.random()
        if kind < 0.1:
            return self.random.randrange(PAGES)
        if kind < 0.2:
            return self.random.choice((0, 511, 512, 1023, 1024, 2047))
        return 600 + self.random.randrange(48)

    def orders(self, vm, kind):
        cpus = range(vm.vcpus) if not self.random.randrange(4) else [self.random.randrange(vm.vcpus)]
        numbers = list({self.any_page() for _ in range(self.random.randrange(1, 40))})
        given = {cpu: [] for cpu in cpus}
        for number in numbers:
            self.tag += 1
            given[self.random.choice(list(cpus))].append((kind, number, self.tag))
        for cpu, orders in given.items():
            vm.give(cpu, orders)
        for cpu, orders in given.items():
            vm.finish(cpu, orders)
        return f"{len(numbers)} pages on {len(given)} vCPUs"

    def write(self, vm):
        return self.orders(vm, WRITE if self.random.randrange(5) else READ)

    def execute(self, vm):
        return self.orders(vm, EXECUTE)

    def take(self, vm):
        full, expendable = vm.full(), self.expendable_sets()
        answer = self.agent.ask(f"take vm={vm.name}", refused=("LIMIT",))[1]
        gone = self.sets_gone(expendable)
        if (full and not expendable) != (answer is None) or full and bool(expendable) != bool(gone):
            raise Wrong(f"{vm.name}: a take, full {full}, sets that may go {expendable}, that went {gone}: {answer}")
        if gone and not full:
            raise Wrong(f"{vm.name}: sets {gone} went although there was room")
        if answer is None:
            self.refused += 1
            return "refused"
        number = int(answer["id"])
        if number != vm.next_id:
            raise Wrong(f"{vm.name}: id {number}, wanted {vm.next_id}")
        vm.next_id = number + 1
        vm.snapshots[number] = Snapshot(dict(vm.pages), vm.crcs(number))
        vm.check_list(int(answer["evicted"]) - len(gone))
        return f"id {number}, {answer['evicted']} evicted, sets {gone}"

    def restore(self, vm):
        if not vm.snapshots:
            self.agent.ask(f"restore vm={vm.name} latest=1", refused="NOT_FOUND")
            return "there is none"
        base = [int(row["id"]) for row in self.agent.ask(f"snapshots vm={vm.name}")[0]
                if row["base"] == "1" and row["id"] != "boot"]
        number = base[0] if base and self.random.randrange(2) else self.random.choice(sorted(vm.snapshots))
        paused = self.random.randrange(2)
        undo = " keep_undo=1" if not self.random.randrange(4) else ""
        self.agent.ask(f"restore vm={vm.name} id={number} paused={paused}{undo}")
        vm.pages = dict(vm.snapshots[number].pages)
        if paused: # it has not executed anything since: all of it is as it was, registers' pages and all
            vm.check_snapshot("live", vm.snapshots[number].crcs, f"a restore of {number}")
            self.agent.ask(f"resume vm={vm.name}")
        return f"id {number}{' paused' if paused else ''}{undo}"

    def rounds(self, vm):
        """The same pages again and again, back to the base each time."""
        if self.take(vm) == "refused":
            return "refused"
        number = vm.next_id - 1
        for _ in range(self.random.randrange(3, 8)):
            for _ in range(2):
                self.orders(vm, WRITE)
            self.agent.ask(f"restore vm={vm.name} id={number}")
            vm.pages = dict(vm.snapshots[number].pages)
        return f"to {number}"

    def delete(self, vm):
        if not vm.snapshots:
            self.agent.ask(f"delete vm={vm.name} id=0", refused="NOT_FOUND")
            return "there is none"
        number = self.random.choice(sorted(vm.snapshots))
        snapshot, refused = vm.snapshots[number], None
        if snapshot.pinned or snapshot.part is not None:
            refused = "PINNED"
        elif snapshot.clones:
            refused = "IN_USE"
        answer = self.agent.ask(f"delete vm={vm.name} id={number}", refused=refused)[1]
        if (refused is not None) != (answer is None):
            raise Wrong(f"{vm.name}: delete of {number}, to be refused as {refused}: {answer}")
        if not refused:
            del vm.snapshots[number]
        return f"id {number} {refused or ''}"

    def pin(self, vm):
        if not vm.snapshots:
            return "there is none"
        number = self.random.choice(sorted(vm.snapshots))
        few = sum(s.pinned for s in vm.snapshots.values()) < 4
        vm.snapshots[number].pinned = bool(few and self.random.randrange(2))
        self.agent.ask(f"set vm={vm.name} id={number} pinned={int(vm.snapshots[number].pinned)}")
        return f"id {number} {vm.snapshots[number].pinned}"

    def pause(self, vm):
        self.agent.ask(f"pause vm={vm.name}")
        self.agent.ask(f"drain vm={vm.name}")
        self.agent.ask(f"resume vm={vm.name}")
        return "and drain"

    def restart(self, vm):
        before = [vm.word(cpu, 3) for cpu in range(vm.vcpus)]
        self.agent.ask(f"restart vm={vm.name} paused=1")
        vm.pages = {}
        vm.check_snapshot("live", vm.boot, "a restart")
        self.agent.ask(f"resume vm={vm.name}")
        vm.wait_ready(before)
        return ""

    # ---- clones

    def clone(self, vm):
        """One more, or another use of one that is there: from boot it is the snapshot it was made from, whatever either did since."""
        free = [slot for slot in self.slots if slot not in [c.slot for c in self.clones]]
        if vm.snapshots and free and self.random.randrange(4):
            number = self.random.choice(sorted(vm.snapshots))
            self.clone_number += 1
            clone = Clone(f"c{self.clone_number}", free[0], vm, number, vm.content(number))
            self.agent.ask(f"clone vm={vm.name} id={number} slot={clone.slot} as={clone.name} paused=1")
            self.clones.append(clone)
            vm.snapshots[number].clones += 1
            self.check_clone(clone, "live", clone.content)
            told = f"{clone.name} of {number}"
        elif self.clones:
            clone = self.random.choice(self.clones)
            told = self.use(clone)
        else:
            return "there is none"
        if clone in self.clones:
            self.check_clone(clone, "boot", clone.content)
            self.agent.ask(f"audit vm={clone.name}")
        return told

    def check_clone(self, clone, which, content):
        if clone.vm.content(which, clone.name) != content:
            raise Wrong(f"{clone.name}: {which} is not what it was made from, {clone.number} of {clone.vm.name}")

    def use(self, clone):
        """It looks for its desk, which is not there, and ends in its own vectors: neither its source nor its own boot sees that."""
        kind = self.random.choice(("run", "restart", "take", "remove", "remove", "remove"))
        if kind == "remove":
            for number in sorted(clone.parts, reverse=True) if self.random.randrange(3) else []:
                self.unpin_set(number)  # else few clones would ever go, and no new ones come
                self.delete_set(number)
            return self.remove(clone)
        if kind == "restart":
            self.agent.ask(f"restart vm={clone.name} paused=1")
            self.check_clone(clone, "live", clone.content)
        elif kind == "run":
            self.agent.ask(f"restart vm={clone.name} paused=0")
        else:
            self.agent.ask(f"restart vm={clone.name} paused=1")
            number = self.agent.ask(f"take vm={clone.name}")[1]["id"]
            self.agent.ask(f"restart vm={clone.name} paused=0")
            self.check_clone(clone, number, clone.content)
            self.agent.ask(f"restore vm={clone.name} id={number} paused=1")
            self.check_clone(clone, "live", clone.content)
            self.agent.ask(f"delete vm={clone.name} id={number}")
        return f"{kind} {clone.name}"

    def remove(self, clone):
        answer = self.agent.ask(f"remove vm={clone.name}", refused="IN_USE" if clone.parts else None)[1]
        if bool(clone.parts) != (answer is None):
            raise Wrong(f"{clone.name}: remove with parts {clone.parts.keys()}: {answer}")
        if answer is not None:
            clone.vm.snapshots[clone.number].clones -= 1
            self.clones.remove(clone)
        return f"remove {clone.name}{' refused' if clone.parts else ''}"

    # ---- set snapshots: of all three VMs, and of the clones that are there

    def check_sets(self):
        there = {int(row["id"]): row for row in self.agent.ask("sets")[0] if row["id"] != "undo"}
        if set(there) != set(self.sets):
            raise Wrong(f"sets {sorted(there)} are there, wanted {sorted(self.sets)}")
        for number, row in there.items():
            parts = {name: int(i) for name, i in (part.split(":") for part in row["parts"].split(","))}
            if parts != self.sets[number]:
                raise Wrong(f"set {number} has the parts {parts}, wanted {self.sets[number]}")
        for vm in self.vms:
            listed = {i: row.get("set") for i, row in vm.ids().items()}
            wanted = {i: None if s.part is None else str(s.part) for i, s in vm.snapshots.items()}
            if listed != wanted:
                raise Wrong(f"{vm.name}: snapshots with their sets {listed}, wanted {wanted}")

    def expendable_sets(self):
        """Those of which every part may go, the oldest first."""
        parts = {n: [vm.snapshots[self.sets[n][vm.name]] for vm in self.vms] for n in sorted(self.sets)}
        return [n for n in parts if not any(part.pinned or part.clones for part in parts[n])]

    def sets_gone(self, expendable):
        """What a take gave up as a whole: the oldest ones that may go."""
        there = {int(row["id"]) for row in self.agent.ask("sets")[0] if row["id"] != "undo"}
        gone = [n for n in sorted(self.sets) if n not in there]
        if gone != expendable[:len(gone)]:
            raise Wrong(f"sets {gone} are gone, {expendable} were the ones that may go")
        for number in gone:
            self.forget_set(number)
        self.sets_evicted += len(gone)
        return gone

    def forget_set(self, number):
        for vm in self.vms:
            del vm.snapshots[self.sets[number][vm.name]]
        for clone in self.clones:
            clone.parts.pop(number, None)
        del self.sets[number]

    def take_all(self, _):
        full, expendable = [vm.name for vm in self.vms if vm.full()], self.expendable_sets()
        answer = self.agent.ask("take-all", refused=("LIMIT", "EXHAUSTED"))[1]
        gone = self.sets_gone(expendable)
        if answer is None:  # what went to make room for a take that failed after all
            if gone != expendable:
                raise Wrong(f"take --all refused although {expendable} may go")
            self.refused += 1
            for vm in self.vms:
                vm.check_list(len(set(vm.snapshots) - set(vm.ids())))
            return f"refused, {full} full"
        if full and not gone:
            raise Wrong(f"take --all with {full} full")
        number, evicted = int(answer["id"]), 0
        if number != self.next_set:
            raise Wrong(f"set {number}, wanted {self.next_set}")
        self.next_set = number + 1
        parts = {}
        for vm in self.vms:
            vm.snapshots[vm.next_id] = Snapshot(dict(vm.pages), vm.crcs(vm.next_id), number)
            parts[vm.name] = vm.next_id
            vm.next_id += 1
            own = len(set(vm.snapshots) - set(vm.ids()))
            vm.check_list(own)
            evicted += own
        row = next(row for row in self.agent.ask("sets")[0] if row["id"] == answer["id"])
        listed = {name: int(i) for name, i in (part.split(":") for part in row["parts"].split(","))}
        for clone in self.clones:
            parts[clone.name] = listed.get(clone.name)
            clone.parts[number] = parts[clone.name], clone.vm.content(parts[clone.name], clone.name)
        self.sets[number] = parts
        evicted += len(gone)
        if int(answer["evicted"]) not in (evicted, evicted + 1):  # one more: undo of a set
            raise Wrong(f"take --all: {evicted} went, {answer['evicted']} were reported")
        self.check_sets()
        return f"set {number}, sets {gone} evicted"

    def restore_all(self, _):
        if not self.sets:
            self.agent.ask("restore-all latest=1", refused="NOT_FOUND")
            return "there is none"
        number = self.random.choice(sorted(self.sets))
        paused = self.random.randrange(2)
        undo = " keep_undo=1" if not self.random.randrange(4) else ""
        answer = self.agent.ask(f"restore-all id={number} paused={paused}{undo}")[1]
        if answer["regions_gone"] != "0":
            raise Wrong(f"restore --all {number}: {answer}")
        for vm in self.vms:
            snapshot = vm.snapshots[self.sets[number][vm.name]]
            vm.pages = dict(snapshot.pages)
            if paused:
                vm.check_snapshot("live", snapshot.crcs, f"a restore of set {number}")
        for clone in self.clones:
            if number in clone.parts:
                self.check_clone(clone, "live" if paused else clone.parts[number][0], clone.parts[number][1])
        for vm in self.vms if paused else []:
            self.agent.ask(f"resume vm={vm.name}")
        return f"set {number}{' paused' if paused else ''}{undo}"

    def unpin_set(self, number):
        for vm in self.vms:
            self.agent.ask(f"set vm={vm.name} id={self.sets[number][vm.name]} pinned=0")
            vm.snapshots[self.sets[number][vm.name]].pinned = False

    def delete_set(self, number):
        """False: refused, as it had to be."""
        refused = None
        for vm in self.vms:
            part = vm.snapshots[self.sets[number][vm.name]]
            if part.pinned or part.clones:
                refused = "PINNED" if part.pinned else "IN_USE"
                break
        answer = self.agent.ask(f"delete-all id={number}", refused=refused)[1]
        if (refused is not None) != (answer is None):
            raise Wrong(f"delete --all of {number}, to be refused as {refused}: {answer}")
        if refused:
            return False
        self.forget_set(number)
        return True

    def delete_all(self, _):
        if not self.sets:
            self.agent.ask("delete-all id=0", refused="NOT_FOUND")
            return "there is none"
        number = self.random.choice(sorted(self.sets))
        told = f"set {number}{'' if self.delete_set(number) else ' refused'}"
        self.check_sets()
        return told

    kinds = {"write": 26, "execute": 8, "take": 18, "restore": 22, "rounds": 2, "delete": 8, "pin": 6, "pause": 3,
             "restart": 3, "clone": 8, "take_all": 5, "restore_all": 5, "delete_all": 3}

    def step(self):
        vm = self.random.choice(self.vms)
        kind = self.random.choices(list(self.kinds), list(self.kinds.values()))[0]
        self.done[kind] += 1
        told = f"{kind} ({getattr(self, kind)(vm)})"
        self.agent.ask(f"pause vm={vm.name}")
        vm.check_work(told)
        if vm.snapshots and not self.random.randrange(4):
            number = self.random.choice(sorted(vm.snapshots))
            vm.check_snapshot(number, vm.snapshots[number].crcs, told)
        self.agent.ask(f"audit vm={vm.name}")
        self.agent.ask(f"resume vm={vm.name}")
        if kind.endswith("_all"):
            self.check_others(vm, told)

    def check_others(self, vm, told):
        """What was done to all of them."""
        for other in self.vms:
            if other is not vm:
                self.agent.ask(f"pause vm={other.name}")
                other.check_work(told)
                self.agent.ask(f"audit vm={other.name}")
                self.agent.ask(f"resume vm={other.name}")


def main():
    os.chdir(sys.argv[1])
    seed, operations = int(sys.argv[3]), int(sys.argv[4])
    run = Run(Agent(), Ram(sys.argv[2]), seed)
    start, number = time.monotonic(), 0
    print(f"seed {seed}", flush=True)
    try:
        free = run.begin()
        for vm in run.vms:
            before = [vm.word(cpu, 3) for cpu in range(vm.vcpus)]
            run.agent.ask(f"resume vm={vm.name}")
            vm.wait_ready(before)
        for number in range(1, operations + 1):
            run.step()
        leaked = free - run.end()
        if leaked:
            raise Wrong(f"{leaked} frames leaked")
    except Wrong as why:
        print(f"operation {number}, seed {seed}: {why}")
        return 1
    kept = {vm.name: run.agent.ask(f"stats vm={vm.name}")[0][0]["copied_back"] for vm in run.vms}
    print(json.dumps({"seed": seed, "operations": operations, "seconds": round(time.monotonic() - start, 1),
                      "done": run.done, "refused": run.refused, "sets": run.next_set, "sets_evicted": run.sets_evicted,
                      "clones": run.clone_number, "evicted": sum(vm.evictions for vm in run.vms), "copied_back": kept,
                      "vcpus": {vm.name: vm.vcpus for vm in run.vms}, "mismatches": 0, "leaked": leaked}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
