#!/usr/bin/env python3
"""Drives a server with the libraries that applications use, each in every protocol version it speaks: strings, transactions,
scripts, streams, pub/sub and blocking commands, client-side caching where the library has it. redis-py and Ruby's client
are Debian's (RESP2); ioredis (RESP2) and node-redis (RESP2 and RESP3) come from npm, into build/clients.

    tests/clients/run.py [--reference]     --reference: against Debian's redis-server, to test the tests"""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests"))

from server_process import ServerProcess, synap_binary  # noqa: E402

NODE_FOLDER = os.path.join(ROOT, "build", "clients")
SCRIPT_SECONDS = 60
INSTALL_SECONDS = 180


def debian_python():
    """The interpreter that Debian's modules belong to, whatever else is first in the path."""
    return "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable


def install_npm_packages():
    """None, or what went wrong."""
    if not shutil.which("npm") or not shutil.which("node"):
        return "node and npm are not installed (make test-deps)"
    wanted = os.path.join(HERE, "package.json")
    there = os.path.join(NODE_FOLDER, "package.json")
    stamp = os.path.join(NODE_FOLDER, "installed")
    os.makedirs(NODE_FOLDER, exist_ok=True)
    with open(wanted, encoding="utf-8") as file:
        text = file.read()
    if os.path.exists(stamp):
        with open(stamp, encoding="utf-8") as file:
            if file.read() == text:
                return None
    shutil.copy(wanted, there)
    try:
        done = subprocess.run(["npm", "install", "--no-package-lock", "--no-audit", "--no-fund"], cwd=NODE_FOLDER,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        return f"npm install did not end in {INSTALL_SECONDS} s"
    if done.returncode != 0:
        return "npm install failed:\n" + done.stderr[-2000:]
    with open(stamp, "w", encoding="utf-8") as file:
        file.write(text)
    return None


def run_script(name, command, server):
    """(passed, failed) of one library's script: it prints `ok WHAT` or `failed WHAT: WHY` for each part, then `end`."""
    env = {**os.environ, "NODE_CLIENTS": NODE_FOLDER}
    try:
        done = subprocess.run(command + [str(server.port)], cwd=HERE, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=SCRIPT_SECONDS)
        output, code = done.stdout + done.stderr, done.returncode
    except subprocess.TimeoutExpired as stuck:
        output, code = (stuck.stdout or b"").decode() + (stuck.stderr or b"").decode() + "\nstopped: it hung", 1
    lines = output.splitlines()
    passed = sum(line.startswith("ok ") for line in lines)
    failed = sum(line.startswith("failed ") for line in lines)
    if failed == 0 and (code != 0 or "end" not in lines or passed == 0):
        failed = 1
    print(f"{name}: {passed} passed, {failed} failed")
    if failed:
        print("\n".join("    " + line for line in lines if not line.startswith("ok ")))
    return passed, failed


def main():
    binary = "redis-server" if "--reference" in sys.argv else synap_binary()
    scripts = [("redis-py", [debian_python(), "with_redis_py.py"]), ("ruby", ["ruby", "with_ruby.rb"])]
    problem = install_npm_packages()
    passed = failed = 0
    if problem:
        print(f"ioredis, node-redis: not run, {problem}")
        failed += 2
    else:
        scripts += [("ioredis", ["node", "with_ioredis.js"]), ("node-redis RESP2", ["node", "with_node_redis.js", "2"]),
                    ("node-redis RESP3", ["node", "with_node_redis.js", "3"])]
    for name, command in scripts:
        if not shutil.which(command[0]):
            print(f"{name}: not run, {command[0]} is not installed (make test-deps)")
            failed += 1
            continue
        server = ServerProcess(binary)
        good, bad = run_script(name, command, server)
        if not server.alive():
            print(f"{name}: the server died\n{server.log()[-3000:]}")
            bad += 1
        server.stop()
        passed, failed = passed + good, failed + bad
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
