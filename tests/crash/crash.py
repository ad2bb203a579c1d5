#!/usr/bin/env python3
"""Kills the server at random moments while clients write and read (workload.py), starts it again and looks whether all that
was acknowledged or shown is there.

Half of the rounds end by SIGKILL, which leaves what the process had written; the other half by a power cut, which leaves
what it had synced (power_cut.py, with synap-crash-server). With `appendfsync always` nothing may be lost, with `everysec`
what is older than its interval may not, with snapshots what was there when SAVE said OK may not.

    tests/crash/crash.py [--rounds N] [--seed N] [--keep]      SYNAP_SERVER: the server's binary"""
import argparse
import collections
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
from power_cut import Disk                                                              # noqa: E402
from server_process import free_port, synap_binary                                      # noqa: E402
from wire import Connection, ReplyError                                                 # noqa: E402
from workload import (LIBRARY, QUEUES, Consumer, Failure, Listener, Marks, Producer, Queue, Reader, Sharer,  # noqa: E402
                      Writer, verify_marks)

WRITERS, ROUNDS_PER_LIFE_MAX, INTERVAL_MS = 4, 10, 100
SCHEDULING_S = 0.6  # how much later than its time a thread of a busy machine may run


class Server:
    """One process over the data folder, until it is killed."""

    def __init__(self, life, directives, recorded, more_environment=None, wait=True):
        self.life, self.directives, self.recorded = life, directives, recorded
        self.environment = more_environment or {}
        self.records = os.path.join(life.folder, "records")
        self.launch()
        if wait:
            self.wait_ready()

    def launch(self):
        self.port = free_port()
        shutil.rmtree(self.records, ignore_errors=True)
        os.mkdir(self.records)
        self.disk = Disk(self.life.data) if self.recorded else None
        binary = os.path.join(os.path.dirname(synap_binary()), "synap-crash-server") if self.recorded else synap_binary()
        environment = {**os.environ, "SYNAP_RECORDS": self.records, "SYNAP_SYNC_US": str(self.life.rng.choice((0, 500, 5000))),
                       **self.environment}
        command = [binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.life.data, "--enable-debug-command", "yes",
                   *self.directives]
        with open(self.life.log, "ab") as log:
            log.write(f"=== {' '.join(command)}\n".encode())
            self.log_begin = log.tell()
            log.flush()
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment,
                                            cwd=self.life.data, start_new_session=True)

    def wait_ready(self):
        deadline = time.time() + 60
        while time.time() < deadline:
            if self.process.poll() is not None:
                if not self.port_was_taken():
                    raise Failure(f"the server did not start: it ended with {self.process.returncode}")
                self.launch()
            try:
                connection = Connection(self.port)
                mine = connection.info("server")["process_id"] == str(self.process.pid)  # or whoever took the port
                connection.call("EXISTS", "ready")  # an error while it loads
                connection.close()
                if mine:
                    return
            except (OSError, ConnectionError, ReplyError):
                pass
            time.sleep(0.01)
        raise Failure("the server was not ready after 60 s")

    def port_was_taken(self):
        with open(self.life.log, "rb") as log:
            log.seek(self.log_begin)
            return b"Address already in use" in log.read()

    def kill(self, children_too):
        """The end; with a power cut also of everything that was not synced."""
        if children_too or self.recorded:
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.kill()
        self.process.wait()
        while True:  # forked children
            try:
                os.killpg(self.process.pid, 0 if not self.recorded else signal.SIGKILL)
                time.sleep(0.005)
            except (ProcessLookupError, PermissionError):
                break
        if self.recorded:
            self.disk.replay(self.records)
            self.disk.cut(self.life.rng)


class Controller(threading.Thread):
    """Disturbs: rewrites, snapshots, the AOF switched off and on. Says until when promises hold."""

    def __init__(self, port, rng, policy):
        super().__init__(daemon=True)
        self.connection, self.rng, self.policy = Connection(port), rng, policy
        self.limit = 0.0 if policy == "snapshot" else float("inf")
        self.done = collections.Counter()
        self.problem = None
        self.just_began = threading.Event()

    def run(self):
        try:
            while True:
                time.sleep(self.rng.uniform(0.01, 0.2))
                self.disturb()
        except (ConnectionError, OSError):
            pass
        except ReplyError as error:
            self.problem = f"controller: unexpected error reply: {error}"

    def ask(self, *command):
        """A refusal because something else is under way is fine."""
        self.just_began.set()
        try:
            self.connection.call(*command)
        except ReplyError as error:
            if not any(word in str(error) for word in ("in progress", "already", "active")):
                raise

    def disturb(self):
        if self.policy == "snapshot":
            self.done["save"] += 1
            before = time.time()
            self.ask("SAVE") if self.rng.random() < 0.5 else self.background_save()
            self.limit = before
            return
        choice = self.rng.random()
        if choice < 0.5:
            self.done["rewrite"] += 1
            self.ask("BGREWRITEAOF")
        elif choice < 0.65:
            self.done["bgsave"] += 1
            self.ask("BGSAVE")
        elif choice < 0.8:
            self.switch()
        elif self.policy == "always":
            self.change_policy()

    def background_save(self):
        self.ask("BGSAVE")
        self.wait_for(rdb_bgsave_in_progress="0")
        if self.connection.info("persistence")["rdb_last_bgsave_status"] != "ok":
            raise ReplyError("BGSAVE failed")

    def wait_for(self, **fields):
        """Until all have these values in one INFO."""
        while not fields.items() <= self.connection.info("persistence").items():
            time.sleep(0.005)

    def switch(self):
        """Off and on again: what comes meanwhile is promised once the AOF has its base."""
        self.done["switch"] += 1
        self.limit = time.time()
        for _ in range(self.rng.choice((1, 1, 3))):  # sometimes off again before the base is there
            self.connection.call("CONFIG", "SET", "appendonly", "no")
            time.sleep(self.rng.choice((0, 0, 0.05)))
            self.just_began.set()
            self.connection.call("CONFIG", "SET", "appendonly", "yes")
            time.sleep(self.rng.choice((0, 0, 0.01, 0.03)))
        self.wait_for(aof_rewrite_in_progress="0", aof_rewrite_scheduled="0")
        info = self.connection.info("persistence")
        if info["aof_enabled"] == "1" and info["aof_last_bgrewrite_status"] == "ok":
            self.connection.call("SET", "switched", "1")
            if self.policy != "always":
                self.connection.call("WAITAOF", 1, 0, 0)
            self.limit = float("inf")

    def change_policy(self):
        self.done["policy"] += 1
        self.limit = time.time()
        self.connection.call("CONFIG", "SET", "appendfsync", self.rng.choice(("everysec", "no")))
        time.sleep(self.rng.choice((0, 0.02)))
        self.connection.call("CONFIG", "SET", "appendfsync", "always")
        self.connection.call("SET", "policy", "always")
        self.limit = float("inf")


class Life:
    """A data folder through several rounds: what one left is where the next begins."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.folder = tempfile.mkdtemp(prefix="synap-crash-")
        self.data = os.path.join(self.folder, "data")
        self.log = os.path.join(self.folder, "server.log")
        os.mkdir(self.data)
        self.states = {number: {} for number in range(1, WRITERS + 1)}
        self.queues = [Queue(f"queue:{i}") for i in range(QUEUES)]
        self.snapshots = self.rng.random() < 0.1
        self.server = None
        self.figures = collections.Counter()

    def directives(self, policy):
        rng = self.rng
        common = ["--io-threads", str(rng.choice((1, 2, 4))), "--save", ""]
        if policy == "snapshot":
            return [*common, "--appendonly", "no", "--rdb-key-save-delay", "5"]
        return [*common, "--appendonly", "yes", "--appendfsync", policy, "--appendfsync-interval-ms", str(INTERVAL_MS),
                "--aof-use-rdb-preamble", rng.choice(("yes", "no")), "--aof-timestamp-enabled", rng.choice(("yes", "no")),
                "--auto-aof-rewrite-min-size", rng.choice(("16kb", "64mb")), "--rdb-key-save-delay", rng.choice(("0", "5", "50"))]

    def start(self):
        policy = "snapshot" if self.snapshots else self.rng.choices(("always", "everysec", "no"), (7, 3, 1))[0]
        recorded = self.rng.random() < 0.5 and policy != "no"
        self.server = Server(self, self.directives(policy), recorded)
        return policy, recorded

    def round(self):
        rng = self.rng
        policy, recorded = self.start() if self.server is None else (self.policy, self.recorded)
        port = self.server.port
        with_library = Connection(port)
        with_library.call("FUNCTION", "LOAD", "REPLACE", LIBRARY)
        with_library.close()
        marks = Marks()
        for queue in self.queues:
            queue.begin()
        writers = [Writer(port, rng.random(), number, self.states[number]) for number in self.states]
        controller = Controller(port, rng, policy)
        workers = [*writers, *[Sharer(port, rng.random(), marks, i) for i in range(2)], *[Reader(port, rng.random(), marks) for _ in range(2)],
                   Producer(port, rng.random(), self.queues), *[Consumer(port, rng.random(), self.queues) for _ in range(2)],
                   Listener(port, rng.random(), marks)]
        for thread in [*workers, controller]:
            thread.start()
        time.sleep(rng.uniform(0.8, 1.5) if policy == "everysec" else rng.uniform(0.05, 0.9))
        if rng.random() < 0.6:  # in the middle of something
            controller.just_began.clear()
            controller.just_began.wait(0.5)
            time.sleep(rng.uniform(0, 0.08))
        if not self.server.process.poll() is None:
            raise Failure(f"the server ended by itself with {self.server.process.returncode}")
        killed_at = time.time()
        limit = controller.limit
        self.server.kill(children_too=rng.random() < 0.5)
        for thread in [*workers, controller]:
            thread.join(40)
        for thread in [*workers, controller]:
            if thread.problem:
                raise Failure(thread.problem)
        if policy in ("everysec", "no"):
            limit = min(limit, killed_at - INTERVAL_MS / 1000 - SCHEDULING_S)
        self.count(policy, recorded, writers, marks, controller)
        self.policy, self.recorded = self.start()
        self.verify(writers, marks, limit)
        return f"{policy}, {'power cut' if recorded else 'killed'}"

    def verify(self, writers, marks, limit):
        connection = Connection(self.server.port)
        for writer in writers:
            self.states[writer.number] = writer.verify(connection, limit)
        verify_marks(connection, marks, limit)
        for queue in self.queues:
            queue.verify(connection, limit, consumers=2)
        connection.close()

    def count(self, policy, recorded, writers, marks, controller):
        self.figures["acknowledged commands and blocks"] += sum(len(writer.acknowledged) for writer in writers)
        self.figures["replies that revealed something"] += len(marks.seen)
        self.figures["elements handed over"] += sum(len(items) for queue in self.queues for _, items in queue.popped)
        self.figures[f"rounds {policy}, {'power cut' if recorded else 'killed'}"] += 1
        for what, times in controller.done.items():
            self.figures[f"times {what}"] += times

    def end(self, keep):
        if self.server is not None and self.server.process.poll() is None:
            os.killpg(self.server.process.pid, signal.SIGKILL)
            self.server.process.wait()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=None, help="of the first life; others follow (default: random)")
    parser.add_argument("--keep", action="store_true", help="keep all folders, not only those of failures")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(10**6)
    print(f"seed {seed}", flush=True)
    passed = failed = 0
    figures = collections.Counter()
    began = time.time()
    while passed + failed < options.rounds:
        life = Life(seed)
        broken = False
        for i in range(min(life.rng.randint(1, ROUNDS_PER_LIFE_MAX), options.rounds - passed - failed)):
            try:
                kind = life.round()
                passed += 1
                print(f"round {passed + failed}: {kind}", flush=True)
            except Failure as failure:
                failed, broken = failed + 1, True
                print(f"round {passed + failed} FAILED (seed {seed}, round {i + 1} of its life, folder {life.folder}): {failure}", flush=True)
                break
        figures.update(life.figures)
        life.end(options.keep or broken)
        seed += 1
    for name, count in sorted(figures.items()):
        print(f"{count:8} {name}")
    print(f"{time.time() - began:.0f} s")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
