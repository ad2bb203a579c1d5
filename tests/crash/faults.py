#!/usr/bin/env python3
"""Fails each file operation of the server in turn, at its start, while the AOF is switched on, while it is rewritten, while
snapshots are saved; then cuts the power (power_cut.py) and starts it again. Whatever failed: the log tells, what was promised
is there, the server starts, and once the fault is over it gets on and leaves no file behind.

    tests/crash/faults.py [--only SCENARIO] [--seconds N] [--seed N] [--jobs N] [--keep]      SYNAP_SERVER: the server's binary"""
import argparse
import concurrent.futures
import os
import random
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
from crash import Server                                                                # noqa: E402
from wire import Connection, ReplyError                                                             # noqa: E402
from workload import Failure                                                            # noqa: E402

KINDS = ("open", "write", "sync", "truncate", "rename", "link", "remove", "mkdir", "syncdir")
PATIENCE_S = 20


class Run:
    """One life of a server with a fault in it, and the next one without."""

    def __init__(self, folder, template, scenario, policy, fault):
        """`template`: an earlier run, whose data this one goes on with."""
        self.folder, self.scenario, self.policy = folder, scenario, policy
        self.data, self.log = os.path.join(folder, "data"), os.path.join(folder, "log")
        self.rng = random.Random(f"{scenario} {policy} {fault}")
        shutil.copytree(template.data, self.data) if template else os.mkdir(self.data)
        self.fault, self.sent, self.n = fault, dict(template.sent) if template else {}, 0
        self.kept, self.promising, self.connection = dict(self.sent), False, None
        self.left_before = set(self.left_files())  # a power cut may bring files back

    def start(self, appendonly, fault=None):
        environment = {"SYNAP_FAULT": fault} if fault else {}
        directives = ["--appendonly", appendonly, "--appendfsync", self.policy, "--appendfsync-interval-ms", "20", "--save", "",
                      "--snapshot-keep", "1"]
        self.server = Server(self, directives, True, environment, wait=False)
        self.server.wait_ready()
        self.connection = Connection(self.server.port)

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def call(self, *command):
        return self.connection.call(*command)

    def wait_for(self, section, **fields):
        deadline = time.time() + PATIENCE_S
        while time.time() < deadline:
            info = self.connection.info(section)
            if all(info.get(name) == value for name, value in fields.items()):
                return
            time.sleep(0.01)
        raise Failure(f"never became {fields}: {info}")

    def write(self, count):
        """While the disk fails writes are refused, not lost; not for ever."""
        for _ in range(count):
            self.n += 1
            key, value = f"{self.scenario}:{self.fault}:{self.n}", f"v{self.n}" * 50
            self.sent[key] = value
            deadline = time.time() + PATIENCE_S
            while True:
                try:
                    self.call("SET", key, value)
                    break
                except ReplyError as error:
                    if not str(error).startswith("MISCONF") or time.time() > deadline:
                        raise Failure(f"a write was answered with {error}") from error
                    time.sleep(0.02)
            if self.promising and self.policy == "always":
                self.kept[key] = value

    def settle(self):
        """From here on all that was written before is promised."""
        before = dict(self.sent)
        if self.call("WAITAOF", 1, 0, PATIENCE_S * 1000)[0] != 1 and self.connection.info("persistence")["aof_enabled"] == "1":
            raise Failure("what was written is never synced")
        self.kept.update(before)
        self.promising = True

    def rewrite(self):
        try:
            self.call("BGREWRITEAOF")
        except ReplyError:
            pass  # the log tells why
        self.write(3)
        self.wait_for("persistence", aof_rewrite_in_progress="0", aof_rewrite_scheduled="0")

    # --- What is under way when the fault comes.

    def step_start(self):
        self.promising = True
        self.write(5)

    def step_switch(self):
        self.promising = False
        self.write(3)
        self.call("CONFIG", "SET", "appendonly", "yes")
        self.write(5)
        self.settle()
        self.write(5)

    def step_rewrite(self):
        self.promising = True
        self.write(5)
        self.rewrite()
        self.rewrite()
        self.write(5)

    def step_snapshot(self):
        self.promising = False
        for how in ("SAVE", "BGSAVE"):
            before = dict(self.sent)
            self.write(3)
            try:
                self.call(how)
            except ReplyError:
                pass
            self.wait_for("persistence", rdb_bgsave_in_progress="0")
            info = self.connection.info("persistence")
            if info["rdb_last_bgsave_status"] == "ok":
                if info["rdb_changes_since_last_save"] != "0":
                    raise Failure("a snapshot that went well counts changes")
                before = dict(self.sent)
                self.kept.update(before)
            elif info["rdb_changes_since_last_save"] == "0":
                raise Failure("a snapshot that failed counts as saved")

    def mend(self):
        """The fault is over: everything works again, and nothing is left lying about."""
        status = "rdb_last_bgsave_status" if self.scenario == "snapshot" else "aof_last_bgrewrite_status"
        for attempt in range(3):  # the fault may come only now
            self.save() if self.scenario == "snapshot" else self.rewrite()
            info = self.connection.info("persistence")
            if attempt > 0 and info[status] == "ok" and info["aof_last_write_status"] == "ok":
                break
        else:
            raise Failure(f"it never recovers: {info}")
        if self.scenario != "snapshot":
            self.settle()
        if left := set(self.left_files()) - self.left_before:
            raise Failure(f"files are left: {sorted(left)}")

    def save(self):
        before = dict(self.sent)
        try:
            self.call("SAVE")
            self.kept.update(before)
        except ReplyError:
            pass  # the log tells why

    def left_files(self):
        folder = os.path.join(self.data, "appendonlydir")
        left = [name for name in os.listdir(self.data) if name.startswith("temp")]
        if os.path.exists(os.path.join(folder, "appendonly.aof.manifest")):
            with open(os.path.join(folder, "appendonly.aof.manifest"), encoding="utf-8") as file:
                named = {line.split()[1] for line in file}
            left += sorted(set(os.listdir(folder)) - named - {"appendonly.aof.manifest"})
        return left

    # --- All of it. False: there is no such operation.

    def run(self):
        died = None
        try:
            self.start("no" if self.scenario in ("switch", "snapshot") else "yes", self.fault)
            getattr(self, "step_" + self.scenario)()
            self.mend()
        except (ConnectionError, OSError) as error:
            died = str(error)
        except Failure as failure:
            if self.connection is not None:
                raise
            died = str(failure)
        text = self.log_text()
        if died is not None and "Exiting" not in text and "Fatal error" not in text:
            raise Failure(f"the server ended without a reason: {died}")
        _, failed, victim = text.partition(f"=== fault: {self.fault.partition(':')[0]} ")
        name = os.path.basename(victim.partition("\n")[0])
        harmless = self.fault.startswith("remove") or f"Removing the history file {name}" in text
        if failed and "Injected failure" not in text and not harmless:
            raise Failure("the log does not tell of the fault")
        self.server_kill()
        self.start("no" if self.scenario == "snapshot" else "yes")
        self.verify()
        self.server_kill()
        return failed != ""

    def server_kill(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None
        try:
            self.server.kill(True)
        except ProcessLookupError:  # it has ended already
            self.server.disk.replay(self.server.records)
            self.server.disk.cut(self.rng)

    def verify(self):
        for key, value in self.kept.items():
            found = self.call("GET", key)
            if found is None or found.decode() != value:
                raise Failure(f"{key} was promised and is {found!r}")
        for key in self.call("KEYS", "*"):
            key = key.decode()
            if key not in self.sent:
                raise Failure(f"{key} was never written")


def make_template(folder, scenario):
    """Data to start with: an AOF of a base and two increments' worth of writes, or a snapshot."""
    os.mkdir(folder)
    run = Run(folder, None, scenario, "always", "none:0")
    aof = scenario not in ("switch", "snapshot")
    run.start("yes" if aof else "no")
    run.write(15)
    if aof:
        run.rewrite()
    run.write(15)
    if not aof:
        run.call("SAVE")
    run.server_kill()
    return run


SCENARIOS = [(scenario, policy) for scenario in ("start", "switch", "rewrite") for policy in ("always", "everysec")]
SCENARIOS.append(("snapshot", "always"))
PLACES_MAX = 100


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", metavar="SCENARIO")
    parser.add_argument("--seconds", type=float, help="stop then; without it every operation has its turn")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    top = tempfile.mkdtemp(prefix="synap-faults-")
    scenarios = [pair for pair in SCENARIOS if options.only in (None, pair[0])]
    templates = {name: make_template(os.path.join(top, name), name) for name in {name for name, _ in scenarios}}
    todo = [(*pair, kind, n) for pair in scenarios for kind in KINDS for n in range(1, PLACES_MAX)]
    random.Random(options.seed).shuffle(todo)
    todo.sort(key=lambda item: item[3] > 12)  # there are not many more of most kinds
    ends, failures, passed = {}, [], []  # ends: the first place of a kind that does not exist
    deadline = time.time() + (options.seconds or float("inf"))

    def fail_one(scenario, policy, kind, n):
        if time.time() > deadline or n >= ends.get((scenario, policy, kind), PLACES_MAX):
            return
        folder = os.path.join(top, f"{scenario}-{policy}-{kind}-{n}")
        os.mkdir(folder)
        run = Run(folder, templates[scenario], scenario, policy, f"{kind}:{n}")
        try:
            if not run.run():
                ends[scenario, policy, kind] = min(n, ends.get((scenario, policy, kind), n))
            passed.append(folder)
        except Exception as problem:  # whatever it is, the others go on
            failures.append(f"{scenario}, {policy}, {kind} {n}: {type(problem).__name__}: {problem} ({folder})")
            print(failures[-1], flush=True)
            run.server_kill()
            return
        if not options.keep:
            shutil.rmtree(folder)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(lambda item: fail_one(*item), todo))
    print(f"seed {options.seed}: {len(passed)} passed, {len(failures)} failed")
    if not failures and not options.keep:
        shutil.rmtree(top)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
