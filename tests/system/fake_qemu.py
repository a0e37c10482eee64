#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""fake_qemu.py - stands in for QEMU (AVCTL_QEMU) where only avctl is tested.

Opens the sockets and logs that its arguments name and speaks the control agent's side of the line protocol with
made-up VMs. Hooks, by environment: FAKE_DELAY (seconds before the sockets are there), FAKE_DIE (exit at once
with that status), FAKE_TRACE (append every request to that file). Verbs of its own: "fake drop=N" breaks the
connection after doing but before answering the next N requests; "fake reboot=1" makes the agent start
anew at the next request, which is lost; "fake crash=VM [reason=TEXT]", "fake mute=1".
"""
import os, re, shlex, signal, socket, sys, threading, time

ports, vms, lock = {}, {}, threading.Lock()
state = {"drop": 0, "reboot": 0, "mute": 0, "boots": 1, "events": [], "beyond": 0,
         "start": time.monotonic()}


def now_ns():
    return int((time.monotonic() - state["start"]) * 1e9)


def quote(value):
    text = str(value)
    if text and re.fullmatch(r'[!#-\[\]-~]+', text):
        return text
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[^ -~]", lambda m: f"\\x{ord(m.group()):02x}", text) + '"'


def fields(pairs):
    return "".join(f" {key}={quote(value)}" for key, value in pairs.items())


class Refuse(Exception):
    def __init__(self, code, message=""):
        self.code, self.message = code, message


def new_vm(name, index):
    boot = {"id": "boot", "parent": "none", "name": "", "taken_ns": 0, "pinned": 1, "state": "running"}
    return {"name": name, "index": index, "state": "running", "generation": 0, "next": 0, "snaps": {"boot": boot},
            "base": "boot", "origin": "boot", "reason": None, "restarts": 0}


def vm_row(vm):
    row = {"name": vm["name"], "index": vm["index"], "state": vm["state"], "vcpus": 1, "ram_base": "0x40000000",
           "ram_size": 128 << 20, "generation": vm["generation"],
           "snapshots": sum(isinstance(i, int) for i in vm["snaps"]), "base": vm["base"], "origin": vm["origin"], "frames_used": 500,
           "frames_budget": 40000, "ram_frames": 321, "dirty_frames": 16, "uptime_ns": now_ns(),
           "restarts": vm["restarts"], "cpu": 0, "flags": "0x1" if vm["index"] == 0 else "0x0"}
    if vm["state"] == "crashed":
        row.update(reason=vm["reason"], pc="0x40080123", esr="0x96000045", far="0x0", word="0xd503201f")
    return row


def event(kind, vm, a=0, b=0, text=""):
    state["events"].append({"seq": len(state["events"]), "time_ns": now_ns(), "kind": kind, "vm": vm, "a": a, "b": b,
                            "text": text})


def find_snap(vm, args):
    if args.get("undo"):
        key = "undo"
    elif args.get("boot"):
        key = "boot"
    elif args.get("latest"):
        ids = [i for i in vm["snaps"] if isinstance(i, int)]
        if not ids:
            raise Refuse("NOT_FOUND", "no snapshot")
        key = max(ids)
    elif "id" in args:
        key = int(args["id"])
    else:
        match = [i for i, s in vm["snaps"].items() if s["name"] == args.get("name") and s["name"]]
        if not match:
            raise Refuse("NOT_FOUND", "no snapshot of that name")
        key = match[0]
    if key not in vm["snaps"]:
        raise Refuse("NOT_FOUND", "no such snapshot")
    return key


def target(args, control=False):
    if args.get("vm") not in vms:
        raise Refuse("NOT_FOUND", "no such VM")
    if args["vm"] == "control" and not control:
        raise Refuse("DENIED", "the control VM")
    return vms[args["vm"]]


def change(vm, wanted, allowed):
    if vm["state"] not in allowed:
        raise Refuse("WRONG_STATE", "it is " + vm["state"])
    event("state", vm["name"], 0, 1)
    vm["state"] = wanted
    return {"state": wanted}


def take(vm, args):
    request = args.get("request", "0")
    for key, snap in vm["snaps"].items():
        if request != "0" and snap.get("request") == request:
            return {"id": key, "found": 1}
    name = args.get("name", "")
    if name and any(s["name"] == name for s in vm["snaps"].values()):
        raise Refuse("EXISTS", "that name is taken")
    key = vm["next"]
    vm["next"] += 1
    vm["snaps"][key] = {"id": key, "parent": vm["origin"], "name": name, "taken_ns": now_ns(), "pinned": 0,
                        "state": vm["state"], "request": request}
    vm["base"] = vm["origin"] = key
    event("take", vm["name"], key)
    return {"id": key, "evicted": 0, "paused_ns": 18000}


def restore(vm, args):
    key = find_snap(vm, args)
    recorded, came_from = vm["snaps"][key]["state"], vm["snaps"][key]["parent"]
    if args.get("keep_undo"):
        vm["snaps"]["undo"] = {"id": "undo", "parent": vm["origin"], "name": "", "taken_ns": now_ns(), "pinned": 0,
                               "state": vm["state"]}
    vm["generation"] += 1
    vm["base"] = key if key != "undo" else "none"
    vm["origin"] = key if key != "undo" else came_from
    vm["state"] = recorded if key == "undo" else "paused" if args.get("paused") else "running"
    event("restore", vm["name"], key, vm["generation"])
    return {"id": key, "generation": vm["generation"], "undo": "kept" if args.get("keep_undo") else "off",
            "paused_ns": 17000}


def serve(verb, args):
    """Rows and the fields of ok."""
    if verb in ("hello", "ping"):
        return [], hello() if verb == "hello" else {}
    if verb == "fake":
        if "crash" in args:
            vm = vms[args["crash"]]
            vm["state"], vm["reason"] = "crashed", args.get("reason", "wild \x1b[31m jump")
            event("crash", vm["name"], 0x40080123, 0x96000045, args.get("reason", "wild jump")[:23])
        state.update({k: int(v) for k, v in args.items() if k not in ("crash", "reason")})
        return [], {}
    if verb == "vms":
        return [vm_row(vm) for vm in vms.values()], {}
    if verb == "vm":
        return [vm_row(target(args, True))], {}
    if verb == "stats":
        target(args, True)
        return [{"hvc": 1, "smc": 2, "wfi": 3, "cpu_ns": 5000000}], {}
    if verb == "machine":
        return [{"frames_total": 200000, "frames_free": 150000, "counter_hz": 62500000, "uptime_ns": now_ns(),
                 "cpus": 2, "vms": len(vms), "regions": 1, "debug": 1, "control_restarts": state["boots"] - 1,
                 "event_next": len(state["events"]), "log_next": 0}], {}
    if verb == "snapshots":
        vm = target(args)
        keys = [k for k in ("boot", "undo") if k in vm["snaps"]] + sorted(k for k in vm["snaps"]
                                                                          if isinstance(k, int))
        rows = []
        for key in keys:
            snap = vm["snaps"][key]
            rows.append({"id": key, "parent": snap["parent"], "name": snap["name"],
                         "request": "0x" + snap.get("request", "0").removeprefix("0x"),
                         "taken_ns": snap["taken_ns"], "vm_time_ns": 1, "unique": 16, "shared": 300,
                         "reclaimable": 18, "pinned": snap["pinned"], "state": snap["state"],
                         "base": int(vm["base"] == key)})
        return rows, {}
    if verb == "events":
        since = int(args["since"])
        rows = state["events"][since:since + 64]
        return rows, {"next": since + len(rows), "lost": 0}
    vm = target(args)
    if verb == "state":
        key = int(args["id"]) if args["id"].isdigit() else args["id"]
        if key != "live" and key not in vm["snaps"]:
            raise Refuse("NOT_FOUND", "no such snapshot")
        when = vm["snaps"][key]["state"] if key != "live" else vm["state"]
        sum_of = {"running": "0x1", "paused": "0x2"}.get(when, "0x3")
        return [{"part": "clock", "size": 8, "sum": sum_of, "value": 77},
                {"part": "vcpu", "vcpu": 0, "size": 1000, "sum": sum_of, "x0": "0x7", "pc": sum_of + "000",
                 "pstate": "0x3c5", "fp_checksum": sum_of, "power": "0x1"}], {}
    if verb == "diff":
        # Frames in the middle of the RAM file, which holds zeros there; then one that leads out of it.
        beyond = {"ipa": "0x41000000", "count": 1, "pa_a": hex(state["beyond"]), "pa_b": "0x0"}
        rows = [{"ipa": "0x40000000", "count": 3, "pa_a": "0x48000000", "pa_b": "0x0"}]
        return rows + [beyond] * bool(state["beyond"]), {"next": "0xffffffffffffffff"}
    if verb == "pause":
        return [], change(vm, "paused", ("running",))
    if verb == "resume":
        return [], change(vm, "running", ("paused",))
    if verb == "stop":
        return [], change(vm, "stopped", ("running", "paused", "starved", "crashed"))
    if verb == "start" and vm["state"] not in ("stopped", "crashed"):
        raise Refuse("WRONG_STATE", "it is " + vm["state"])
    if verb in ("start", "restart"):
        vm["generation"] += 1
        vm["restarts"] += 1
        vm["state"] = "paused" if args.get("paused") else "running"
        return [], {"state": vm["state"], "generation": vm["generation"]}
    if verb == "take":
        return [], take(vm, args)
    if verb == "restore":
        return [], restore(vm, args)
    key = find_snap(vm, args) if verb in ("delete", "set") else None
    if verb == "delete":
        if vm["snaps"][key]["pinned"]:
            raise Refuse("PINNED", "pinned")
        del vm["snaps"][key]
        return [], {"id": key}
    if verb == "set":
        snap = vm["snaps"][key]
        if "new_name" in args:
            snap["name"] = args["new_name"]
        if "pinned" in args:
            snap["pinned"] = int(args["pinned"])
        return [], {"id": key}
    raise Refuse("UNKNOWN_VERB")


def hello():
    return {"proto": 1, "abi": "1.0", "version": "fake", "features": "0x3", "boots": state["boots"],
            "vms": len(vms), "debug": 1}


def answer(client, line):
    """False: break the connection."""
    words = shlex.split(line, posix=True)
    if not words:
        return True
    request, verb = words[0], words[1]
    args = dict(word.split("=", 1) for word in words[2:])
    if os.environ.get("FAKE_TRACE"):
        with open(os.environ["FAKE_TRACE"], "a", encoding="ascii") as trace:
            trace.write(line + "\n")
    if state["reboot"] and verb != "fake":
        state["reboot"] = 0
        state["boots"] += 1
        client.sendall(("0 hello" + fields(hello()) + "\n").encode())
        return True
    try:
        rows, end = serve(verb, args)
        text = "".join(f"{request} row{fields(row)}\n" for row in rows) + f"{request} ok{fields(end)}\n"
    except Refuse as refusal:
        text = f"{request} err code={refusal.code} msg={quote(refusal.message)}\n"
    if state["drop"] and verb != "fake":
        state["drop"] -= 1
        return False
    if not state["mute"] or verb == "fake":
        client.sendall(b"deadbeef ok stale=1\n" + text.encode())
    return True


def serve_client(client):
    client.sendall(("0 hello" + fields(hello()) + "\n").encode())
    rest = b""
    while got := client.recv(65536):
        *lines, rest = (rest + got).split(b"\n")
        for line in lines:
            # CAN forgets what came of the line so far
            line = line.split(b"\x18")[-1]
            with lock:
                if not answer(client, line.decode("ascii", "replace")):
                    return


def control(listener):
    while True:
        client, _ = listener.accept()
        with client:
            try:
                serve_client(client)
            except OSError:
                pass  # a client that left in the middle: the next one is served


def console(listener, log):
    """Echoes what is typed, upper case, into the log and to whoever is connected."""
    while True:
        client, _ = listener.accept()
        with client:
            try:
                while got := client.recv(4096):
                    log.write(got.upper())
                    client.sendall(got.upper())
            except OSError:
                pass


def open_ports():
    found = re.compile(r"socket,id=[^,]*,path=([^,]*),.*?(?:logfile=(.*),logappend=off)?$")
    for arg in sys.argv[1:]:
        match = found.match(arg)
        if not match:
            continue
        path, logfile = match.group(1), match.group(2)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(1)
        if path == "control":
            ports["control"] = listener
        elif path.endswith(".console"):
            vms[path[:-8]] = new_vm(path[:-8], len(vms) + 1)
        if logfile:
            log = open(logfile.replace(",,", ","), "wb", buffering=0)
            log.write(f"{path} says hello\n".encode())
            threading.Thread(target=console, args=(listener, log), daemon=True).start()
        else:
            ports.setdefault("others", []).append(listener)


def main():
    if "--version" in sys.argv:
        print("QEMU emulator version 7.2.99 (fake_qemu.py)")
        sys.exit(0)
    if os.environ.get("FAKE_DIE"):
        sys.stderr.write("fake_qemu: cannot do that\n")
        sys.exit(int(os.environ["FAKE_DIE"]))
    time.sleep(float(os.environ.get("FAKE_DELAY", "0")))
    for arg in sys.argv:
        if arg.startswith("file,id=hypervisor-log,path="):
            with open(arg.split("path=", 1)[1], "w", encoding="ascii") as log:
                log.write("avisor: up\n")
    vms["control"] = new_vm("control", 0)
    event("boot", "-")
    open_ports()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    threading.Thread(target=control, args=(ports["control"],), daemon=True).start()
    while True:
        signal.pause()


main()
