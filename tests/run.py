#!/usr/bin/env python3
"""Runs every test of the project: builds the three kinds of binary, and beside the builds every suite whose binary is ready.
Each suite's output goes to build/test-logs/; the end is one line `N passed, N failed` over all of them.

    tests/run.py [--only NAME[,NAME…]] [--list] [--jobs N]"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOGS = os.path.join(ROOT, "build", "test-logs")

RELEASE, ASAN, TSAN = "build/release", "build/asan", "build/tsan"
ASAN_ENV = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1:allocator_may_return_null=1:detect_stack_use_after_return=0",
            "UBSAN_OPTIONS": "print_stacktrace=1", "LSAN_OPTIONS": "print_suppressions=0"}
TSAN_ENV = {"TSAN_OPTIONS": "halt_on_error=0:exitcode=66:second_deadlock_stack=1:history_size=4"}


def server(build, **more):
    return {"SYNAP_SERVER": os.path.join(ROOT, build, "synap-server"), **more}


# name, command, build it needs (None: sources only), environment, time limit in seconds: what ends a suite that hangs, so
# many times what it takes, because the machine may be busy with other things. Longest first within a build:
# the pool takes them in this order.
SUITES = [
    ("tidy", ["tests/tidy.py"], None, {}, 120),
    ("unit", [RELEASE + "/synap-unit-tests"], RELEASE, {}, 900),
    ("integration", [RELEASE + "/synap-integration-tests"], RELEASE, server(RELEASE), 900),
    ("differential", ["tests/differential/differential.py", "--seconds", "120"], RELEASE, server(RELEASE), 900),
    ("tcl", ["tcl-compat/run"], RELEASE, server(RELEASE), 900),
    ("crash", ["tests/crash/crash.py", "--rounds", "30"], RELEASE, server(RELEASE), 900),
    ("faults", ["tests/crash/faults.py", "--seconds", "60"], RELEASE, server(RELEASE), 900),
    ("clients", ["tests/clients/run.py"], RELEASE, server(RELEASE), 400),
    ("access", ["tests/access.py"], RELEASE, server(RELEASE), 900),
    ("coverage", ["tests/coverage.py"], RELEASE, server(RELEASE), 60),
    ("asan-unit", [ASAN + "/synap-unit-tests"], ASAN, ASAN_ENV, 1800),
    ("asan-integration", [RELEASE + "/synap-integration-tests"], ASAN, server(ASAN, **ASAN_ENV), 1800),
    ("asan-access", ["tests/access.py"], ASAN, server(ASAN, **ASAN_ENV), 1800),
    ("asan-fuzz-server", ["tests/fuzz/server_fuzz.py", "--seconds", "60"], ASAN, server(ASAN, **ASAN_ENV), 1800),
    ("asan-fuzz-targets", ["tests/fuzz/targets.py", "--seconds", "60"], ASAN, ASAN_ENV, 1800),
    ("tsan-concurrency", [RELEASE + "/synap-concurrency-tests"], TSAN, server(TSAN, **TSAN_ENV), 1800),
    ("tsan-unit", [TSAN + "/synap-unit-tests"], TSAN, TSAN_ENV, 1800),
]


def counts(output):
    """(passed, failed) as a suite's own last summary says, or None."""
    found = re.findall(r"^(?:\[doctest\] test cases:.*\| *(\d+) passed \| *(\d+) failed.*|.*?(\d+) passed, (\d+) failed.*)$",
                       output, re.M)
    if not found:
        return None
    a, b, c, d = found[-1]
    return (int(a), int(b)) if a else (int(c), int(d))


def gist(output, lines_max=60):
    """What to show of a failed step's output: a compiler's messages, or a suite's last lines, without what went well."""
    lines = output.splitlines()
    if any(line.startswith("FAILED: ") for line in lines):
        lines = [line for line in lines if not re.match(r"\[\d+/\d+\] |FAILED: |/usr/bin/(cmake|ccache|c\+\+|clang)", line)][:lines_max]
    return "\n".join("    " + line for line in lines[-lines_max:])


class Run:
    def __init__(self, suites, jobs):
        self.waiting, self.jobs = list(suites), jobs
        self.ready, self.broken = {None}, set()
        self.changed = threading.Condition()
        self.results = []
        self.began = time.time()

    def say(self, text):
        minutes, seconds = divmod(int(time.time() - self.began), 60)
        print(f"[{minutes:2}:{seconds:02}] {text}", flush=True)

    def command(self, name, command, env, limit):
        path = os.path.join(LOGS, name + ".log")
        with open(path, "wb") as log:
            try:
                code = subprocess.run(command, cwd=ROOT, env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=log,
                                      stderr=subprocess.STDOUT, timeout=limit).returncode
            except subprocess.TimeoutExpired:
                log.write(f"\nstopped after {limit} s\n".encode())
                code = 124
            except OSError as error:
                log.write(f"\n{error}\n".encode())
                code = 127
        with open(path, encoding="utf-8", errors="replace") as log:
            return code, log.read()

    def build(self, folders):
        for folder in folders:
            began = time.time()
            code, output = self.command("build-" + os.path.basename(folder),
                                        ["make", "--no-print-directory", os.path.basename(folder)], {}, 3600)
            with self.changed:
                (self.broken if code else self.ready).add(folder)
                self.changed.notify_all()
            self.say(f"{'built' if code == 0 else 'COULD NOT BUILD'} {folder} in {time.time() - began:.0f} s")
            if code:
                print(gist(output), flush=True)
                self.results.append(("build-" + os.path.basename(folder), 0, 1))

    def take(self):
        """The next suite whose build is there; None when nothing is left."""
        with self.changed:
            while self.waiting:
                for suite in self.waiting:
                    if suite[2] in self.ready or suite[2] in self.broken:
                        self.waiting.remove(suite)
                        return suite
                self.changed.wait()
        return None

    def work(self):
        while suite := self.take():
            name, command, build, env, limit = suite
            if build in self.broken:
                self.results.append((name, 0, 1))
                self.say(f"{name}: not run, {build} is broken")
                continue
            began = time.time()
            code, output = self.command(name, command, env, limit)
            passed, failed = counts(output) or ((1, 0) if code == 0 else (0, 1))
            failed += code != 0 and failed == 0
            self.results.append((name, passed, failed))
            self.say(f"{name}: {passed} passed, {failed} failed  ({time.time() - began:.0f} s)")
            if failed:
                print(gist(output), flush=True)

    def all(self):
        builds = [b for b in (RELEASE, ASAN, TSAN) if any(s[2] == b or s[1][0].startswith(b) for s in self.waiting)]
        # The build lane uses every core; one lane of suites beside it, and the lane of builds joins them at its end.
        def first_lane():
            self.build(builds)
            self.work()
        lanes = [threading.Thread(target=first_lane)]
        lanes += [threading.Thread(target=self.work) for _ in range(max(1, self.jobs - 1))]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()
        passed, failed = sum(r[1] for r in self.results), sum(r[2] for r in self.results)
        for name, _, bad in sorted(self.results):
            if bad:
                print(f"failed: {name} (build/test-logs/{name}.log)")
        print(f"{passed} passed, {failed} failed", flush=True)
        return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="names of suites, with commas")
    parser.add_argument("--list", action="store_true", help="print the names")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    if options.list:
        print("\n".join(suite[0] for suite in SUITES))
        return 0
    suites = SUITES
    if options.only:
        wanted = options.only.split(",")
        suites = [suite for suite in SUITES if suite[0] in wanted]
        if len(suites) != len(wanted):
            parser.error("no such suite; see --list")
    shutil.rmtree(LOGS, ignore_errors=True)
    os.makedirs(LOGS)
    return Run(suites, options.jobs).all()


if __name__ == "__main__":
    sys.exit(main())
