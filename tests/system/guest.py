#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""guest.py MODE AVCTL ROUNDS VM - avisor.ko and avisor-agentd in a Linux guest that is up.

module   the module is loaded, its device is root's, bad ioctls are refused (ROUNDS random ones), the agent answers
fresh    restores of one snapshot: random bytes, monotonic and wall time
exchange messages to the VM rt and back
debug    a debugger in the guest: single steps, watchpoints, breakpoints, armed over a restore, too
quiesce  snapshots of a file system under load, taken quiesced: clean after a restore; hooks; what cannot be waited for

Types as linux.py does. Exit code 1 and one line that says what was wrong.
"""
import os, re, socket, subprocess, sys, time
from linux import BAD, Clock, Failed, Machine, at_shell, check, say


class Agent:
    """A client of the VM's own agent."""

    def __init__(self, vm):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        folder = os.open(os.path.join(os.environ["XDG_RUNTIME_DIR"], "avisor", os.environ["AVCTL_SET"]), os.O_PATH)
        self.socket.connect(f"/proc/self/fd/{folder}/{vm}.agent")
        os.close(folder)
        self.count = 0
        self.text = b""

    def ask(self, words):
        """All lines of the reply."""
        self.count += 1
        self.socket.send(f"\x18\n{self.count:x} {words}\n".encode())
        lines = []
        while not lines or lines[-1].split()[1] == "row":
            while b"\n" not in self.text:
                data = self.socket.recv(4096)
                check(data, "the agent's port closed")
                self.text += data
            line, self.text = self.text.split(b"\n", 1)
            if line.split()[0] == b"%x" % self.count:
                lines.append(line.decode())
        return [line.split(" ", 1)[1] for line in lines]

    def close(self):
        self.socket.close()


def no_complaints(console):
    log = console.run("dmesg")
    check(not re.search(BAD, log), f"the kernel complains: {re.findall(f'.*(?:{BAD}).*', log)[:3]}")


def module(machine, rounds):
    console = at_shell(machine)
    check(re.search(r"^avisor \d+", console.run("cat /proc/modules"), re.M), "avisor.ko is not loaded")
    check(console.run("stat -c '%a %u %F' /dev/avisor") == "600 0 character special file", "/dev/avisor is not root's alone")
    check(console.run("guest-test user") == "user: Permission denied", "an ordinary user is not kept out of /dev/avisor")
    console.run("chmod 666 /dev/avisor")
    check(console.run("guest-test user") == "user: Operation not permitted",
          "an ordinary user may open /dev/avisor once its mode lets everybody")
    console.run("chmod 600 /dev/avisor")
    said = console.run(f"guest-test fuzz {rounds} {int.from_bytes(os.urandom(4), 'big')}", 20 + rounds // 2000)
    say(said)
    agent = Agent(machine.vm)
    check(re.fullmatch(r"ok proto=1 abi=1\.0 version=\S+ features=\S+ boots=1 vms=0 debug=[01]", agent.ask("hello")[0]), "hello")
    check(agent.ask("vms")[0].startswith("err code=UNKNOWN_VERB"), "a VM's own agent knows vms")
    check(agent.ask("thaw") == ["ok held=0 mounts=0 hooks=0 failed=0"], "thaw with nothing quiesced")
    check(agent.ask("quiesce hold_ms=0")[0].startswith("err code=INVALID"), "a hold of 0 ms is not refused")
    check(agent.ask("quiesce") == ["ok mounts=0 hooks=0 failed=0"], "quiesce")
    check(agent.ask("quiesce")[0].startswith("err code=WRONG_STATE"), "quiesce twice")
    check(agent.ask("thaw") == ["ok held=1 mounts=0 hooks=0 failed=0"], "thaw")
    agent.close()
    no_complaints(console)
    console.close()


def restored(console, generation):
    """Wait until the agent says that it knows of the restore and has done what belongs to it."""
    deadline = time.monotonic() + 20
    while f"restored, generation {generation}" not in console.run("dmesg | tail -n 5"):
        check(time.monotonic() < deadline, "the agent has not noticed the restore: " + console.run(
            "dmesg | tail -n 5; for p in $(pidof avisor-agentd); do cat /proc/$p/stack /proc/$p/syscall; done; cat /proc/uptime"))


def wall_error(console):
    """How far the guest's wall time is outside of what the host's was before and after the question."""
    before = time.time()
    guest = float(console.run("adjtimex | sed -n 's/.*time.tv_sec: *//p'; adjtimex | sed -n 's/.*time.tv_usec: *//p'").split()[0])
    after = time.time()
    return max(before - (guest + 1), guest - after, 0)


def fresh(machine, rounds):
    console = at_shell(machine)
    agent = Agent(machine.vm)
    agent.ask("ping")
    agent.close()
    uptime = float(console.run("cat /proc/uptime").split()[0])
    machine("snapshot", "take", machine.vm, "--name", "seed")
    seen = set()
    for number in range(1, rounds + 1):
        if number > 1: # outside, time passes that the guest does not see
            end = time.monotonic() + 2
            while time.monotonic() < end:
                console.run("true")
        machine("restore", machine.vm, "--name", "seed")
        console.send("\n")
        console.expect(rb"linux\$ ")
        restored(console, number)
        seen.add(console.run("dd if=/dev/urandom bs=32 count=1 2>/dev/null | md5sum"))
        now = float(console.run("cat /proc/uptime").split()[0])
        check(now >= uptime, f"monotonic time went back, from {uptime} to {now}")
        deadline = time.monotonic() + 5 # the clock is set to half a second at once, and then to its tick
        while (error := wall_error(console)) >= 1:
            check(time.monotonic() < deadline, f"wall time is wrong by {error:.2f} s")
        say(f"restore {number}: wall time within {error:.2f} s of the second, uptime {now} after {uptime}")
    check(len(seen) == rounds, f"{rounds} restores gave {len(seen)} different random numbers")
    no_complaints(console)
    console.close()


def exchange(machine, rounds):
    console = at_shell(machine)
    machine("wait", "rt", "log=exchange: ready", "-t", "20s")
    start = time.monotonic()
    console.send(f"guest-test exchange {rounds}; echo EN''DED=$?\n")
    before, match = console.expect(rb"ENDED=(\d+)\s+linux\$ ", 60 + rounds // 500)
    check(match[1] == b"0", f"guest-test exchange: {before.decode(errors='replace').strip()}")
    said = before.replace(b"\r", b"").decode().strip()
    check(said == f"exchange: {rounds} messages there and back, status 0", f"guest-test exchange said {said!r}")
    say(f"{rounds} messages there and back in {time.monotonic() - start:.1f} s")
    no_complaints(console)
    console.close()


def debug(machine, rounds):
    console = at_shell(machine)
    console.send(f"guest-test debug {rounds}; echo EN''DED=$?\n")
    before, _ = console.expect(rb"debug: armed\s", 20 + rounds)
    check(b"debug: " not in before, before.decode(errors="replace").strip())
    machine("snapshot", "take", machine.vm, "--name", "armed")
    for time_round in range(2):
        console.send("\n")
        before, match = console.expect(rb"ENDED=(\d+)\s+linux\$ ", 20)
        said = before.replace(b"\r", b"").decode().strip()
        check(match[1] == b"0" and said == f"debug: {rounds + 1} rounds, 0 wrong", f"guest-test debug said {said!r}")
        if time_round == 0:
            machine("restore", machine.vm, "--name", "armed")
    no_complaints(console)
    console.close()


HOOKS = "/etc/avisor/hooks.d"


def hook(console, name, line):
    console.run(f"printf '#!/bin/sh\\n%s\\n' '{line}' >{HOOKS}/{name} && chmod +x {HOOKS}/{name}")


def disk_under_load(console):
    """ext4 on a loop device on a file in tmpfs, with two jobs that write there; hooks that tell, and copy what they find."""
    console.run("for m in crc32c_generic crc16 mbcache jbd2 ext4 loop; do insmod /modules/$m.ko; done")
    console.run("cp /disk/empty.img /tmp/disk.img && losetup /dev/loop0 /tmp/disk.img && mkdir /mnt && mount -t ext4 /dev/loop0 /mnt")
    for number, name in ((10, "first"), (60, "second")):
        hook(console, f"{number}-{name}", f"echo $1 {name} >>/tmp/hooks")
    hook(console, "90-copy", "[ $1 != restored ] || { cp /tmp/disk.img /tmp/copy.img; echo restored copy >>/tmp/hooks; }")
    console.run("for j in 1 2; do (while :; do for i in 1 2 3; do dd if=/dev/urandom of=/mnt/$j-$i bs=4k count=40 conv=fsync; "
                "mkdir -p /mnt/d$i; mv /mnt/$j-$i /mnt/d$i/; rm -f /mnt/d$i/$j-1; done; done) & done >/dev/null 2>&1")


def writes_go_on(console, why):
    """A write to the file system ends."""
    console.run("rm -f /tmp/written; ( (echo x >/mnt/probe; sync; echo x >/tmp/written) & )")
    deadline = time.monotonic() + 20
    while "written" not in console.run("ls /tmp"):
        check(time.monotonic() < deadline, f"the file system is still frozen {why}")


def take_quiesced(machine, *words):
    done = subprocess.run([machine.avctl, "snapshot", "take", machine.vm, "--quiesce", *words],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


def quiesce_rounds(machine, console, rounds):
    for number in range(1, rounds + 1):
        console.run("rm -f /tmp/hooks /tmp/copy.img")
        code, error = take_quiesced(machine, "--name", f"q{number}")
        check(code == 0, f"take --quiesce: exit code {code}: {error}")
        hooks = console.run("cat /tmp/hooks").split("\n")
        check(hooks == ["freeze first", "freeze second", "thaw second", "thaw first"], f"the hooks ran as {hooks}")
        writes_go_on(console, "after the take")
        machine("restore", machine.vm, "--name", f"q{number}")
        console.send("\n")
        console.expect(rb"linux\$ ")
        writes_go_on(console, "after the restore")
        # They have run: the file system is thawed after them.
        hooks = console.run("cat /tmp/hooks").split("\n")
        check(hooks[2:5] == ["restored first", "restored second", "restored copy"], f"the hooks after the restore ran as {hooks}")
        console.run("e2fsck -fn /tmp/copy.img") # ends with 0 only when there is nothing to mend and no journal to play
        machine("snapshot", "delete", machine.vm, f"q{number}")
    say(f"{rounds} times: the file system was clean")


def quiesce_goes_wrong(machine, console):
    hook(console, "55-hang", "[ $1 != freeze ] || sleep 1000")
    code, error = take_quiesced(machine, "--name", "hung")
    check(code == 8 and "55-hang" in error and "too long" in error, f"a hook that hangs: exit code {code}: {error}")
    check("hung" in machine("snapshot", "list", machine.vm), "a hook that hangs kept the snapshot from being taken")
    check(console.run("pidof sleep || true") == "", "the hook that hung still runs")
    writes_go_on(console, "after a hook that hung")
    console.run(f"rm {HOOKS}/55-hang")
    agent = Agent(machine.vm)
    check(agent.ask("quiesce")[-1] == "ok mounts=1 hooks=3 failed=0", "quiesce by hand")
    agent.close()
    writes_go_on(console, "after its client has left")
    agent = Agent(machine.vm)
    check(agent.ask("quiesce hold_ms=100")[-1].startswith("ok"), "quiesce for 100 ms")
    writes_go_on(console, "after its time")
    check(agent.ask("thaw")[-1].startswith("ok held=0"), "a thaw after its time says that it was held")
    check(agent.ask("quiesce")[-1].startswith("ok"), "quiesce, and the worker dies")
    console.run("kill -9 $(pidof avisor-agentd | cut -d' ' -f1)")
    writes_go_on(console, "after the death of the agent's worker")
    agent.close()
    console.run("kill $(pidof avisor-agentd); while pidof avisor-agentd; do usleep 10000; done")
    code, error = take_quiesced(machine, "--name", "nobody", "--timeout", "1s")
    check(code == 7 and "no agent answers" in error, f"no agent: exit code {code}: {error}")
    check("nobody" not in machine("snapshot", "list", machine.vm), "without an agent a snapshot was taken all the same")


def quiesce(machine, rounds):
    console = at_shell(machine)
    disk_under_load(console)
    quiesce_rounds(machine, console, rounds)
    quiesce_goes_wrong(machine, console)
    no_complaints(console)
    console.close()


if __name__ == "__main__":
    try:
        {"module": module, "fresh": fresh, "quiesce": quiesce, "exchange": exchange, "debug": debug}[sys.argv[1]](Machine(sys.argv[2], sys.argv[4]), int(sys.argv[3]))
    except (Failed, OSError, subprocess.TimeoutExpired) as error:
        print(f"guest.py: {error}", file=sys.stderr)
        sys.exit(1)
