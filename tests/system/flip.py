# SPDX-License-Identifier: MIT
# flip.py HYPERVISOR RAMFILE COUNT - boots the bundle in RAMFILE again and again, each time with another bit of its manifest
# turned over (mostly with the checksum made right again), until the hypervisor refuses it by name or the machine runs.
# RAMFILE is written; QEMU itself sees a private copy. The working directory gets a socket and a log. Prints the seed.
import os, random, re, socket, struct, subprocess, sys, time

BUNDLE = 0x1000000  # in the file: AV_BUNDLE_PA - AV_RAM_PA
HEAD, VM, SEGMENT, REGION, MEMBER = 112, 112, 24, 72, 8
CHECKSUM = 24

hypervisor, ram_file, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
seed = int(os.environ.get("SEED", "0")) or random.SystemRandom().getrandbits(32)
draw = random.Random(seed)
memory = os.path.getsize(ram_file)


def checksum(manifest):
    value = 0xCBF29CE484222325
    for byte in manifest[:CHECKSUM] + bytes(8) + manifest[CHECKSUM + 8:]:
        value = (value ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return struct.pack("<Q", value)


def fields(manifest):
    """Offsets of the bytes that mean something: no names, no entropy."""
    vms, segments, regions, members = struct.unpack_from("<4I", manifest, 96)
    found = list(range(0, CHECKSUM)) + list(range(64, HEAD))
    at = HEAD
    for total, size, name in ((vms, VM, 32), (segments, SEGMENT, 0), (regions, REGION, 32), (members, MEMBER, 0)):
        for _ in range(total):
            found += range(at + name, at + size)
            at += size
    assert at == len(manifest), (at, len(manifest))
    return found


def answers():
    port = socket.socket(socket.AF_UNIX)
    port.settimeout(0.3)
    try:
        port.connect("flip.sock")
        port.sendall(b"\n5e57 ping\n")
        text = b""
        while b"\n5e57 ok" not in text:
            more = port.recv(4096)
            if not more:
                return False
            text += more
        return True
    except OSError:
        return False
    finally:
        port.close()


def boot():
    """How it ended, and the last of the log."""
    for name in ("flip.sock", "flip.log"):
        if os.path.exists(name):
            os.unlink(name)
    qemu = subprocess.Popen(
        ["qemu-system-aarch64", "-M", "virt,virtualization=on,gic-version=3,memory-backend=ram", "-cpu", "cortex-a57",
         "-smp", "1", "-accel", "tcg,thread=single", "-m", str(memory >> 20) + "M",
         "-object", f"memory-backend-file,id=ram,size={memory},mem-path={ram_file},share=off",
         "-kernel", hypervisor, "-nodefaults", "-no-user-config", "-display", "none",
         "-chardev", "file,id=log,path=flip.log", "-serial", "chardev:log",
         "-global", "virtio-mmio.force-legacy=false", "-device", "virtio-serial-device,max_ports=64",
         "-chardev", "socket,id=c,path=flip.sock,server=on,wait=off", "-device", "virtserialport,chardev=c,name=control"],
        stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 15
        log = ""
        while time.monotonic() < deadline:
            if os.path.exists("flip.log"):
                log = open("flip.log", errors="replace").read()
            refused = re.search(r"^avisor: refused: (.*\S)\s*$", log, re.M)
            if re.search(r"^BUG", log, re.M):
                return "BUG", log
            if refused:
                return "refused", refused.group(1)
            if "control VM restarted" in log:
                return "runs, its control VM does not", log
            if "running: " in log and answers():
                return "runs", log
            if qemu.poll() is not None:
                return "QEMU ended", log
            time.sleep(0.01)
        return "silence", log
    finally:
        qemu.kill()
        qemu.wait()


with open(ram_file, "r+b") as ram:
    ram.seek(BUNDLE)
    size = struct.unpack_from("<QHHI", ram.read(24))[3]
    ram.seek(BUNDLE)
    whole = ram.read(size)
    assert checksum(whole) == whole[CHECKSUM:CHECKSUM + 8]
    places = fields(whole)
    print(f"# seed {seed}, {size} bytes")
    bad, ends = 0, {}
    more_memory = [divmod(64 * 8 + bit, 8) for bit in range(memory.bit_length(), 34)]
    for number in range(count + 1):
        manifest = bytearray(whole)
        at, bit = draw.choice(places), draw.randrange(8)
        if number % 8 == 1 and number // 8 < len(more_memory):
            at, bit = more_memory[number // 8]
        if number:
            manifest[at] ^= 1 << bit
        if number % 8:
            manifest[CHECKSUM:CHECKSUM + 8] = checksum(bytes(manifest))
        ram.seek(BUNDLE)
        ram.write(manifest)
        ram.flush()
        end, text = boot()
        if end.startswith("runs") and struct.unpack_from("<Q", manifest, 64)[0] > memory:
            end = "runs with more memory than there is"
        ends[end] = ends.get(end, 0) + 1
        if end not in ("runs", "refused", "runs, its control VM does not") or (number == 0 and end != "runs"):
            bad += 1
            print(f"# byte {at} bit {bit}, round {number}: {end}\n# " + "\n# ".join(text.splitlines()[-12:]))
        elif os.environ.get("VERBOSE"):
            print(f"# byte {at} bit {bit}, round {number}: {end}: {text.splitlines()[-1]}")
    for name in ("flip.sock", "flip.log"):
        if os.path.exists(name):
            os.unlink(name)
print(f"# {ends}")
sys.exit(bad != 0)
