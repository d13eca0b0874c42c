# SPDX-License-Identifier: GPL-2.0
"""The harness's hand in the guest: runs commands and makes traffic.

Requests and replies are lines of JSON on the virtio port "agent":
    {"id": 1, "cmd": "sh", "script": "...", "timeout": 10} -> {"id": 1, "rc": 0, "out": "..."}
    {"id": 2, "cmd": "call", "name": "tcp_upload", "args": {...}} -> {"id": 2, "result": ...}
Each request has a thread of its own. A call that raises is answered with "error". With "netns" a
call runs in a network namespace that `ip netns` has named; threads that it starts stay there.
"""

import json
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import calibrate
import faults
import frames
import ports
import probes
import rtnl
import system
import traffic
import verify

FUNCTIONS = {
    **calibrate.FUNCTIONS,
    **faults.FUNCTIONS,
    **frames.FUNCTIONS,
    **ports.FUNCTIONS,
    **probes.FUNCTIONS,
    **rtnl.FUNCTIONS,
    **system.FUNCTIONS,
    **traffic.FUNCTIONS,
    **verify.FUNCTIONS,
}


def find_port(name):
    """The device node of a named virtio port, as soon as there is one."""
    base = "/sys/class/virtio-ports"
    while True:
        for port in os.listdir(base) if os.path.isdir(base) else ():
            with open(f"{base}/{port}/name", encoding="ascii") as file:
                if file.read().strip() == name:
                    return f"/dev/{port}"
        time.sleep(0.05)


def run_shell(request):
    """Run a script with busybox's shell; at the timeout all of its processes are killed."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", request["script"]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    killer = threading.Timer(request["timeout"], os.killpg, (process.pid, 9))
    killer.start()
    out, _ = process.communicate()
    timed_out = not killer.is_alive()
    killer.cancel()
    reply = {"rc": process.returncode, "out": out.decode(errors="replace")}
    if timed_out:
        reply["error"] = f"the script was still running after {request['timeout']} s"
    return reply


def answer(request):
    """The reply to one request."""
    try:
        if request["cmd"] == "sh":
            return run_shell(request)
        if space := request.get("netns"):
            # Of this thread only, and it ends with the request.
            with open(f"/run/netns/{space}", "rb") as file:
                os.setns(file.fileno(), os.CLONE_NEWNET)
        return {"result": FUNCTIONS[request["name"]](**request["args"])}
    except Exception as error:  # whatever it was, the harness has to hear of it
        return {"error": f"{type(error).__name__}: {error}"}


def main():
    """Serve for ever."""
    port = os.open(find_port("agent"), os.O_RDWR)
    lock = threading.Lock()

    def send(message):
        data = json.dumps(message).encode() + b"\n"
        with lock:
            while data:
                data = data[os.write(port, data) :]

    def serve(request):
        send({"id": request["id"], **answer(request)})

    send({"event": "ready", "uptime": time.monotonic()})
    buffer = b""
    while True:
        data = os.read(port, 65536)
        if not data:
            time.sleep(0.05)
            continue
        buffer += data
        *lines, buffer = buffer.split(b"\n")
        for line in lines:
            threading.Thread(target=serve, args=(json.loads(line),), daemon=True).start()


main()
