# SPDX-License-Identifier: MIT
"""machine.py - processes, files and sockets for the benchmarks: every QEMU is ended by its pid, every folder removed."""
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time


class Failed(Exception):
    """A measurement could not be made."""


def wait_for(what, seconds, ready, alive=lambda: True, pause=0.02):
    """Looks again until ready() is true; its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = ready()
        if value:
            return value
        if not alive():
            raise Failed(f"{what}: QEMU ended")
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(pause)


class Place:
    """A private folder for a set, in the memory file system when there is one: short, for the sockets in it."""

    def __init__(self, build):
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.path = tempfile.mkdtemp(prefix="avb.", dir=base)
        self.build = build
        self.env = dict(os.environ, XDG_RUNTIME_DIR=self.file("run"), XDG_STATE_HOME=self.file("state"),
                        AVCTL_RAM_DIR=self.path, AVCTL_LIBDIR=self.file("images"))
        for folder in "run", "state", "images":
            os.mkdir(self.file(folder), 0o700)
        os.symlink(f"{build}/release/hypervisor.elf", self.file("images/hypervisor.elf"))
        os.symlink(f"{build}/control.elf", self.file("images/control.elf"))

    def file(self, name):
        return os.path.join(self.path, name)

    def write(self, name, text):
        with open(self.file(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.file(name)

    def avctl(self, *args, **env):
        """Output of avctl; Failed when it fails."""
        done = subprocess.run([f"{self.build}/avctl", *args], env=dict(self.env, **env), cwd=self.path, timeout=120,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise Failed(f"avctl {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout

    def timed(self, *args):
        """Milliseconds from the start of avctl to its exit."""
        quiet = os.open("/dev/null", os.O_RDWR)
        program = f"{self.build}/avctl"
        actions = [(os.POSIX_SPAWN_DUP2, quiet, fd) for fd in (0, 1, 2)]
        start = time.perf_counter_ns()
        pid = os.posix_spawn(program, [program, *args], self.env, file_actions=actions)
        status = os.waitpid(pid, 0)[1]
        took = (time.perf_counter_ns() - start) / 1e6
        os.close(quiet)
        if status:
            raise Failed(f"avctl {' '.join(args)}: exit code {os.waitstatus_to_exitcode(status)}")
        return took

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Qemu:
    """A QEMU we started. What it says goes to a file; the last of it is told when it ends by itself."""

    def __init__(self, place, argv, cwd):
        self.log = place.file("qemu.log")
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def alive(self):
        return self.process.poll() is None

    def end(self):
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Line:
    """A socket that speaks text lines: a console, or QMP."""

    def __init__(self, path, seconds=20):
        self.socket = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.socket.connect(path)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > deadline:
                    raise Failed(f"{path}: nobody listens") from None
                time.sleep(0.02)
        self.socket.settimeout(120)
        self.got = b""

    def until(self, text):
        """All that came up to and with text."""
        while text not in self.got:
            try:
                more = self.socket.recv(65536)
            except TimeoutError:
                more = b""
            if not more:
                raise Failed(f"waiting for {text!r}: {self.got[-200:]!r}")
            self.got += more
        before, _, self.got = self.got.partition(text)
        return before + text

    def say(self, text):
        self.socket.sendall(text.encode())


class Qmp(Line):
    def __init__(self, path):
        super().__init__(path)
        self.until(b"\n")
        self.call("qmp_capabilities")

    def call(self, command, **arguments):
        self.say(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        while True:
            reply = json.loads(self.until(b"\n"))
            if "error" in reply:
                raise Failed(f"{command}: {reply['error']['desc']}")
            if "return" in reply:
                return reply["return"]

    def timed(self, command):
        """Milliseconds of a command of QEMU's monitor, which answers when it is done."""
        start = time.perf_counter_ns()
        said = self.call("human-monitor-command", **{"command-line": command})
        took = (time.perf_counter_ns() - start) / 1e6
        if said:
            raise Failed(f"{command}: {said.strip()}")
        return took


def entry(name, unit, values, note=""):
    """One element of bench.json; values is empty for what was skipped."""
    digits = 1 if unit == "instructions" else 3
    figures = [round(f(values), digits) if values else None for f in (statistics.median, min, max)]
    return dict(zip(("name", "unit", "value", "min", "max", "runs", "note"), (name, unit, *figures, len(values), note)))
