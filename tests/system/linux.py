#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""linux.py MODE AVCTL ROUNDS VM... - Debian's kernel at a shell, in a set that is up.

back    Show 10 of issue 2: taken back in time
crowd   several at work, each taken and restored at random while the others run; then all spin (ROUNDS: seconds of it)
life    reboot, power-off and panic, as the kernel does them
smp     several vCPUs: all found, each off and on again, all busy while the VM is restored, reboot and power-off

Acts as a user does: types on `avctl console` (a pseudo terminal), and runs `avctl snapshot take` and `avctl restore`.
Waits for what must appear, with a deadline, never for a time. Exit code 1 and one line that says what was wrong.
"""
import json, os, pty, random, re, select, signal, subprocess, sys, time, zlib

BAD = r"BUG|Oops|WARNING|stall|starved|[Ll]ockup|LOCKUP|Unable to handle|Bad mode|Call trace"


HZ = 250  # of Debian's kernels
SLICE = 0.005  # a turn, in seconds, unless the set says otherwise


class Failed(Exception):
    pass


def check(condition, text):
    if not condition:
        raise Failed(text)


class Console:
    """`avctl console` with somebody at the keyboard."""

    count = 0  # one for all: a replay may show the ends of earlier commands

    def __init__(self, command):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(command[0], command)
        self.text = b""

    def expect(self, pattern, seconds=20):
        """Wait for pattern (at most 200 bytes long); the text before it and its match."""
        deadline, seen = time.monotonic() + seconds, 0
        while not (match := re.compile(pattern).search(self.text, max(0, seen - 200))):
            seen, left = len(self.text), deadline - time.monotonic()
            check(left > 0, f"no {pattern!r} within {seconds} s; the console's last words: {self.text[-600:]!r}")
            if select.select([self.fd], [], [], left)[0]:
                try:
                    data = os.read(self.fd, 65536)
                except OSError:
                    data = b""
                check(data, f"avctl console ended; its last words: {self.text[-600:]!r}")
                self.text += data
        before, self.text = self.text[:match.start()], self.text[match.end():]
        return before, match

    def send(self, text):
        os.write(self.fd, text.encode())

    def settle(self):
        """At the shell's prompt, without echo."""
        self.send("\n")
        self.expect(rb"linux\$ ")
        self.run("stty -echo; dmesg -n 4") # the agent's notices would stand in the middle of what commands print

    def run(self, command, seconds=20):
        """The command's output; it must succeed. The shell is at its prompt before and after."""
        Console.count += 1
        self.send(f"{command}; echo EN''D{Console.count}=$?\n")
        before, match = self.expect(rb"END%d=(\d+)\s+linux\$ " % Console.count, seconds)
        text = before.replace(b"\r", b"").decode(errors="replace")
        check(match[1] == b"0", f"{command}: exit code {match[1].decode()}: {text}")
        return text.strip()

    def close(self):
        self.send("\x1d")
        deadline = time.monotonic() + 10
        while os.waitpid(self.pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                raise Failed("the escape key did not end avctl console")
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    os.read(self.fd, 65536)
                except OSError:
                    pass
        os.close(self.fd)


class Machine:
    def __init__(self, avctl, vm):
        self.avctl, self.vm = avctl, vm

    def __call__(self, *words):
        done = subprocess.run([self.avctl, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        check(done.returncode == 0, f"avctl {' '.join(words)}: exit code {done.returncode}: {done.stderr.strip()}")
        return done.stdout.strip()

    def console(self, *words):
        return Console([self.avctl, "console", self.vm, *words])


class Clock:
    """Readings of the guest's uptime, each with the host's time before and after it."""

    def __init__(self, console):
        self.console = console

    def read(self):
        before = time.monotonic()
        uptime = float(self.console.run("cat /proc/uptime").split()[0])
        return before, uptime, time.monotonic()

    def until(self, uptime, seconds=20):
        deadline = time.monotonic() + seconds
        while (reading := self.read())[1] < uptime:
            check(time.monotonic() < deadline, f"the guest's clock stands at {reading[1]}, not yet at {uptime}")
        return reading

    def keeps_time(self, seconds):
        """Over so many of its seconds the guest's clock goes as the host's does."""
        first = self.read()
        last = self.until(first[1] + seconds)
        passed, least, most = last[1] - first[1], last[0] - first[2], last[2] - first[0]
        check(least - 0.03 <= passed <= most + 0.03,
              f"{passed:.2f} s passed in the guest while {least:.2f} to {most:.2f} s did outside")


def say(text):
    print(f"# {text}", flush=True)


def one_round(number, machine, console, clock, taken, target):
    """Write, run on, restore: what was written is gone, the rest is there and goes on."""
    console.run(f"echo {number} >/tmp/after; counter={1000 + number}")
    check(console.run("cat /tmp/after") == str(number), "the file that was written does not read back")
    late = clock.until(taken[1] + 0.5)
    start = time.monotonic()
    machine("restore", machine.vm, *target)
    console.send("\n")
    console.expect(rb"linux\$ ")
    now = clock.read()
    check(console.run("ls /tmp") == "before", "the file written after the snapshot is still there")
    check(console.run("cat /tmp/before; echo $nonce $counter") == f"{machine.nonce}\n{machine.nonce} 1",
          "the file, nonce and counter of the snapshot are not as they were")
    check(now[1] >= taken[1], f"the clock shows {now[1]}, before the snapshot's {taken[1]}")
    check(now[1] < late[1] or now[1] - taken[1] <= now[2] - start + 0.1,
          f"the clock goes on from {now[1]}, not from the snapshot's {taken[1]} (before the restore: {late[1]})")
    clock.keeps_time(0.3)


def hvc0_answers(machine, word):
    console = machine.console("--port", "hvc0", "--replay", "0")
    console.settle()
    said = console.run(f"echo {word}-$((6 * 7)); tty")
    check(said == f"{word}-42\n/dev/hvc0", f"hvc0 was told to say {word}-42 and its name, and said {said!r}")
    console.close()


def at_shell(machine, seconds=60):
    """A console whose guest has booted, at the prompt."""
    console = machine.console("--replay", "1000")
    console.expect(rb"avisor-linux: up", seconds)
    console.settle()
    return console


def no_complaints(console):
    log = console.run("dmesg")
    check(not re.search(BAD, log), f"the kernel complains: {re.findall(f'.*(?:{BAD}).*', log)[:3]}")


def back(avctl, rounds, vm):
    machine = Machine(avctl, vm)
    console = at_shell(machine)
    check(console.run("uname -sm") == "Linux aarch64", "uname")
    console.run("[ $(tty) = /dev/ttyAMA0 ]")
    hvc0_answers(machine, "fresh")
    machine.nonce = os.urandom(8).hex()
    console.run(f"nonce={machine.nonce}; counter=1; echo $nonce >/tmp/before")
    clock = Clock(console)
    taken = clock.read()
    first = machine("snapshot", "take", vm, "-o", "name")
    say(f"snapshot {first} at {taken[1]} s")
    for number in range(1, rounds + 1):
        # To the base at first; from the middle on a newer snapshot is the base, and the first is reached from afar.
        if number == rounds // 2 + 1:
            machine("snapshot", "take", vm, "--name", "newer")
        one_round(number, machine, console, clock, taken,
                  ("--id", first) if number > rounds // 2 else ("--latest",))
        say(f"round {number}: as it was")
    hvc0_answers(machine, "restored")
    no_complaints(console)
    console.close()


# Two jobs that write, read, fork and sleep.
WORK = ("for j in 1 2; do (while :; do dd if=/dev/urandom of=/tmp/$j bs=4k count=50; md5sum /tmp/$j; usleep 3000; done) & "
        "done >/dev/null 2>&1")


class Tenant:
    """One VM of the crowd, at `guest-test crowd`: what files it must have now, and had at each snapshot."""

    def __init__(self, avctl, vm, dice):
        self.machine, self.dice = Machine(avctl, vm), dice
        self.files, self.snapshots = {}, {}

    def begin(self):
        self.console = at_shell(self.machine, 180)  # all of them boot at once
        self.console.send("guest-test crowd\n")
        self.console.expect(rb"crowd: begun\s", 60)

    def tell(self, command):
        """The answer."""
        Console.count += 1
        self.console.send(f"{command} {Console.count}\n")
        self.console.expect(rb"%s %d= " % (command.encode(), Console.count), 60)
        return self.console.expect(rb"\n", 60)[0].decode(errors="replace").strip()

    def write(self):
        """A file of which the contents are known here."""
        word, size = f"{self.dice.getrandbits(64):016x}", self.dice.randrange(1, 100000)
        said = self.tell(f"write {word} {size}")
        check(said == "written", f"{self.machine.vm} writes no file: {said!r}")
        self.files = {**self.files, word: (size, zlib.crc32((word * (size // 16 + 1))[:size].encode()))}

    def look(self):
        *found, torn = [word.split(":") for word in self.tell("look").split()]
        found = {name: (int(size), int(crc, 16)) for name, size, crc in found}
        check(found == self.files, f"{self.machine.vm} has files {found}, not {self.files}")
        check(torn == ["torn", "0"], f"{self.machine.vm} read back what it had not written: {torn}")

    def looks_well(self):
        said = self.tell("complaints")
        check(said == "end", f"{self.machine.vm}: the kernel complains: {said}")

    def take(self):
        if len(self.snapshots) == 4:
            oldest = min(self.snapshots, key=int)
            self.machine("snapshot", "delete", self.machine.vm, oldest)
            del self.snapshots[oldest]
        self.write()
        self.snapshots[self.machine("snapshot", "take", self.machine.vm, "-o", "name")] = self.files

    def restore(self):
        self.looks_well()  # what it says goes with the rest
        self.write()
        number = self.dice.choice(list(self.snapshots))
        self.machine("restore", self.machine.vm, "--id", number, *self.dice.choice([["--no-undo"], []]))
        self.files = self.snapshots[number]
        self.look()

    def seconds(self):
        """CPU time, and the VM's own, of one moment."""
        status = json.loads(self.machine("status", self.machine.vm, "-o", "json"))
        return status["stats"]["cpu_ms"] / 1000, status["uptime_ms"] / 1000

    def reading(self):
        """CPU time as EL2 counts it, timer interrupts, and seconds in which Linux says that it was busy, of all its vCPUs."""
        match = re.match(r"\s*\d+:((?:\s+\d+)+)\s.*arch_timer\s+cpu\s(.*)", self.tell("ticks"))
        check(match, "no timer interrupts, or no /proc/stat")
        busy = [int(word) for word in match[2].split()]
        return self.seconds()[0], sum(int(word) for word in match[1].split()), (sum(busy[:3]) + sum(busy[5:7])) / 100


def qemu_seconds():
    """CPU time that the host let QEMU have."""
    with open(f"{os.environ['XDG_RUNTIME_DIR']}/avisor/{os.environ['AVCTL_SET']}/machine.json") as file:
        pid = json.load(file)["pid"]
    with open(f"/proc/{pid}/stat") as file:
        words = file.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def spins(tenants, seconds):
    """
    What is wrong with the shares and the ticks of VMs that do nothing but spin, if anything. Linux counts its busy time by its
    ticks; EL2 counts the time that it let the VM have. A vCPU whose turn comes has a tick at once for all that it missed while it
    waited: one more each turn, so that there may be more of them in a second of EL2's. There are less when the host has no time for
    QEMU: then EL2's time goes on and the guest does not.
    """
    host, begun = qemu_seconds(), [tenant.reading() for tenant in tenants]
    deadline = time.monotonic() + seconds
    before = [tenant.seconds() for tenant in tenants]
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(left)
    after = [tenant.seconds() for tenant in tenants]
    shares = [(b[0] - a[0]) / (b[1] - a[1]) for a, b in zip(before, after)]
    ended = [tenant.reading() for tenant in tenants]
    given = min(1, (qemu_seconds() - host) / sum(b[0] - a[0] for a, b in zip(begun, ended)))
    rates = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in zip(begun, ended)]
    own = [(b[1] - a[1]) / max(b[2] - a[2], 0.01) for a, b in zip(begun, ended)]
    mean = sum(shares) / len(shares)
    say(f"spinning, with {given:.0%} of the CPU time that QEMU could use: " +
        "; ".join(f"{share:.1%} of a CPU, {rate:.0f} ticks in a second of it, {mine:.0f} in a busy second of Linux's"
                  for share, rate, mine in zip(shares, rates, own)))
    if not all(0.9 * mean <= share <= 1.1 * mean for share in shares):
        return f"shares of the CPUs: {shares}"
    if not all(0.75 * HZ <= mine <= 1.25 * HZ for mine in own):
        return f"timer interrupts in a second in which Linux says it was busy: {own}, not about {HZ}"
    if not all(0.75 * HZ * given <= rate <= 1.25 * (HZ + 1 / SLICE) for rate in rates):
        return f"timer interrupts in a second of CPU time: {rates}, not {HZ} and one each turn"
    return None


def crowd(avctl, seconds, *vms):
    seed = int(os.environ.get("SEED", 0)) or random.randrange(1, 1 << 32)
    dice = random.Random(seed)
    say(f"SEED={seed}")
    tenants = [Tenant(avctl, vm, dice) for vm in vms]
    for tenant in tenants:
        tenant.begin()
        tenant.take()
    deadline, rounds = time.monotonic() + seconds, {tenant: 0 for tenant in tenants}
    while time.monotonic() < deadline or not all(rounds.values()):
        tenant = dice.choice(tenants)
        if dice.randrange(3):
            tenant.restore()
            rounds[tenant] += 1
        else:
            tenant.take()
    say(f"restored {list(rounds.values())} times; rounds of their own: {[tenant.tell('rounds') for tenant in tenants]}")
    for tenant in tenants:
        tenant.look()
        tenant.tell("spin")
    # QEMU's own timers come late while others use this machine: one good look is enough.
    for _ in range(5):
        if not (wrong := spins(tenants, 3)):
            break
    check(not wrong, wrong)
    for tenant in tenants:
        tenant.looks_well()
        tenant.console.close()


def life(avctl, rounds, vm):
    machine = Machine(avctl, vm)
    console = at_shell(machine)
    machine("snapshot", "take", vm, "--name", "shell")

    def back_at_shell():
        machine("restore", vm, "--name", "shell")
        console.send("\n")
        console.expect(rb"linux\$ ")
        console.run("uptime")

    for command in ("reboot -f\n", None) * rounds:
        if command:
            console.send(command)
        else:
            machine("restart", vm)
        console.expect(rb"Booting Linux")
        console.expect(rb"avisor-linux: up", 60)
        console.settle()
    console.send("poweroff -f\n")
    machine("wait", vm, "stopped", "--timeout", "20s")
    back_at_shell()
    console.send("echo c >/proc/sysrq-trigger\n")
    console.expect(rb"end Kernel panic")
    back_at_shell()
    console.close()


def vcpu_count(machine):
    return int(json.loads(machine("status", machine.vm, "-o", "json"))["vcpus"])


def ticks(console):
    """The timer interrupts each CPU had."""
    counts = re.match(r"\s*\d+:((\s+\d+)+)\s", console.run("grep arch_timer /proc/interrupts", 60))
    check(counts, "no arch_timer in /proc/interrupts")
    return [int(word) for word in counts[1].split()]


def each_cpu_off_and_on(console, count):
    for cpu in range(count):
        online = f"/sys/devices/system/cpu/cpu{cpu}/online"
        console.run(f"echo 0 >{online}")
        check(console.run("nproc") == str(count - 1), f"CPU {cpu} is off, and nproc says {console.run('nproc')}")
        console.run(f"echo 1 >{online}")
        check(console.run("nproc") == str(count), f"CPU {cpu} is on again, and nproc says {console.run('nproc')}")


def smp_boots(console, count):
    check(console.run("nproc") == str(count), f"nproc says {console.run('nproc')}, not {count}")
    check(console.run("grep -c ^processor /proc/cpuinfo") == str(count), "/proc/cpuinfo has other CPUs")


def reboots(console, count):
    console.send("reboot -f\n")
    console.expect(rb"Booting Linux", 60)
    console.expect(rb"avisor-linux: up", 180)
    console.settle()
    smp_boots(console, count)


def smp(avctl, rounds, vm):
    machine = Machine(avctl, vm)
    count = vcpu_count(machine)
    console = at_shell(machine)
    smp_boots(console, count)
    each_cpu_off_and_on(console, count)
    # One more than CPUs: the scheduler moves them about.
    console.run(f"for i in $(seq {count}); do (while :; do :; done) & done; " + WORK)
    console.run("nonce=$(cat /proc/sys/kernel/random/uuid)")
    nonce = console.run("echo $nonce")
    machine("snapshot", "take", vm, "--name", "busy", "--pin")
    for number in range(rounds):
        machine("restore", vm, "--name", "busy", *(["--no-undo"] if number % 3 else []))
        if number % 5 == 4:
            machine("snapshot", "take", vm)
        console.send("\n")
        console.expect(rb"linux\$ ", 60)
        check(console.run("echo $nonce") == nonce, "the nonce is another")
        before, clock = ticks(console), Clock(console)
        clock.until(clock.read()[1] + 0.5, 60)
        after = ticks(console)
        check(all(a > b for a, b in zip(after, before)), f"a CPU has no timer ticks: {before}, then {after}")
    smp_boots(console, count)
    no_complaints(console)
    say(f"{count} CPUs, restored {rounds} times")
    reboots(console, count)
    no_complaints(console)
    console.send("poweroff -f\n")
    machine("wait", vm, "stopped", "--timeout", "30s")
    console.close()


if __name__ == "__main__":
    try:
        {"back": back, "crowd": crowd, "life": life, "smp": smp}[sys.argv[1]](sys.argv[2], int(sys.argv[3]), *sys.argv[4:])
    except (Failed, subprocess.TimeoutExpired) as error:
        print(f"linux.py: {error}", file=sys.stderr)
        sys.exit(1)
