#!/usr/bin/env python3
"""Sends the same generated commands, valid and invalid, to synap-server and to Debian's redis-server 7.0 and compares the
replies, then the data. A difference is cut down to the fewest commands that show it. Differences that are meant are
listed in intended.txt, each with its reason.

    tests/differential/differential.py [--family NAME …] [--seconds N | --rounds N] [--seed N|random]
                                       [--server PATH] [--reference PATH]

A family is a module in families/: ATOMS, SETUP, TABLE (see grammar.py), or a function run(test) of its own."""
import argparse
import importlib
import os
import pkgutil
import random
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import families  # noqa: E402
import grammar  # noqa: E402
from compare import same  # noqa: E402
from server_process import ServerProcess, synap_binary  # noqa: E402
from wire import Connection, encode, show  # noqa: E402

COMMANDS_PER_ROUND = 300
STATE_EVERY = 60
SETTINGS = ["--proto-max-bulk-len", "512mb", "--maxclients", "1000", "--timeout", "0", "--io-threads", "1", "--hz", "500"]


class Intended:
    def __init__(self, path):
        self.rows = []
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                line = line.strip()
                if not line or line.startswith("#"):
                    continue
                parts = [part.strip() for part in line.split(" :: ")]
                if len(parts) != 4:
                    sys.exit(f"{path}:{number}: COMMAND :: redis's reply :: our reply :: reason")
                self.rows.append([re.compile(part, re.S) for part in parts[:3]] + [0])

    def covers(self, args, theirs, ours):
        text = " ".join(a.decode("latin-1") if isinstance(a, bytes) else a for a in args)
        for row in self.rows:
            if row[0].match(text) and row[1].search(show(theirs)) and row[2].search(show(ours)):
                row[3] += 1
                return True
        return False


class Difference(Exception):
    def __init__(self, index, step, theirs, ours):
        super().__init__()
        self.index, self.step, self.theirs, self.ours = index, step, theirs, ours

    def signature(self):
        mask = re.compile(r"\d+|'[^']*'")
        name = str(self.step[2][0]).upper() if self.step[2] else "?"
        return name, mask.sub("#", show(self.theirs))[:80], mask.sub("#", show(self.ours))[:80]


class Parted(Exception):
    """An intended difference after which the data must differ: the round ends here."""


class Side:
    """One of the two servers, with two connections to it, and a third that looks on."""

    def __init__(self, binary, name, extra=()):
        self.binary, self.name, self.extra = binary, name, extra
        self.start()

    def start(self):
        self.server = ServerProcess(self.binary, *SETTINGS, *self.extra)
        self.connections = [self.server.connect(timeout=8) for _ in range(3)]

    def fresh(self, resp):
        """Clean connections; a new server if the old one is gone or locked us out. True: it is a new one."""
        for connection in self.connections:
            connection.close()
        for renewed in (False, True):
            try:
                self.connections = [self.server.connect(timeout=8) for _ in range(3)]
                replies = [connection.typed("HELLO", str(resp)) for connection in self.connections]
                for connection in self.connections:
                    connection.pushes = []
                if all(reply[0] != b"-" for reply in replies):
                    return renewed
            except (OSError, ConnectionError):
                pass
            self.renew()
        raise RuntimeError(f"{self.name} refuses HELLO:\n{self.server.log()[-3000:]}")

    def renew(self):
        for connection in self.connections:
            connection.close()
        self.server.stop()
        self.start()


class Test:
    def __init__(self, options):
        self.options = options
        self.theirs = Side(options.reference, "redis")
        self.ours = Side(options.server, "synap")
        self.intended = Intended(os.path.join(HERE, "intended.txt"))
        self.passed = self.failed = self.commands = 0
        self.seen = {}

    def sides(self):
        return self.theirs, self.ours

    # ---- One list of steps, run on both sides. A step is (connection, mode, args); modes that begin with ! are ours.

    def run_steps(self, steps, resp):
        # Settings of earlier rounds stay, so both sides are renewed or none.
        if any([side.fresh(resp) for side in self.sides()]):
            for side in self.sides():
                side.renew()
                side.fresh(resp)
        for side in self.sides():
            side.connections[0].call("FLUSHALL")
            side.connections[0].typed("FUNCTION", "FLUSH")
        queued = [[], []]
        at = 0
        while at < len(steps):
            connection, mode, _ = steps[at]
            end = at + 1
            if not mode.startswith("!"):
                while end < len(steps) and end - at < 24 and steps[end][0] == connection and not steps[end][1].startswith("!"):
                    end += 1
            self.run_chunk(steps, at, end, queued)
            at = end

    def run_chunk(self, steps, at, end, queued):
        connection, mode, args = steps[at]
        if mode == "!state":
            self.compare_state(at, steps[at])
        elif mode == "!send":
            for side in self.sides():
                side.connections[connection].send(*args)
        elif mode == "!read":
            replies = [self.read_one(side, connection, at, steps[at]) for side in self.sides()]
            self.check(at, (connection, args[0], args[1:]), *replies, queued)
        elif mode == "!blocked":
            for side in self.sides():
                deadline = time.time() + 5
                while side.connections[2].info("clients").get("blocked_clients") != args[0] and time.time() < deadline:
                    time.sleep(0.002)
        else:
            data = b"".join(encode(step[2]) for step in steps[at:end])
            for side in self.sides():
                try:
                    side.connections[connection].send_raw(data)
                except OSError:
                    pass
            for index in range(at, end):
                replies = [self.read_one(side, connection, index, steps[index]) for side in self.sides()]
                self.commands += 1
                self.check(index, steps[index], *replies, queued)

    @staticmethod
    def read_one(side, connection, index, step):
        try:
            return side.connections[connection].read()
        except (OSError, ConnectionError, ValueError) as error:
            if not side.server.alive():
                side.server.process.wait()
            log = "" if side.server.alive() else "; it died:\n" + side.server.log()[-1500:]
            reply = (b"!", f"{side.name}: {type(error).__name__} {error}{log}".encode())
            raise Difference(index, step, reply, reply) from None

    def check(self, index, step, theirs, ours, queued):
        connection, mode, args = step
        if theirs == (b"+", b"QUEUED"):
            queued[connection].append((mode, args))
        name = args[0].upper() if args and isinstance(args[0], str) else ""
        if name == "EXEC" and theirs[1] and isinstance(theirs[1], list) and isinstance(ours[1], list):
            inner = queued[connection]
            queued[connection] = []
            if len(theirs[1]) == len(ours[1]) == len(inner):
                for (inner_mode, inner_args), a, b in zip(inner, theirs[1], ours[1]):
                    if same(a, b, inner_mode):
                        continue
                    if not self.intended.covers(inner_args, a, b):
                        raise Difference(index, (connection, inner_mode, ["EXEC", "of"] + list(inner_args)), a, b)
                    part_ways(inner_args, a, b)
                return
        if name in ("EXEC", "DISCARD", "MULTI", "RESET"):
            queued[connection] = []
        if not same(theirs, ours, mode):
            if not self.intended.covers(args, theirs, ours):
                raise Difference(index, step, theirs, ours)
            part_ways(args, theirs, ours)
        if theirs[0] == b"-" and re.match(rb"ERR (MULTI calls can not be nested|WATCH inside MULTI)", theirs[1]):
            raise Parted  # only ours refuses the EXEC, as Redis does since 8.0

    def compare_state(self, index, step):
        """Every key on both sides: type, encoding, time to live, content."""
        keys = [sorted(side.connections[2].call("KEYS", "*")) for side in self.sides()]
        if keys[0] != keys[1]:
            only = [(b"*", [(b"$", k) for k in sorted(set(keys[i]) - set(keys[1 - i]))]) for i in (0, 1)]
            if not self.expired_meanwhile(*keys):
                raise Difference(index, (0, "exact", ["KEYS", "only on this side"]), *only)
        for key in keys[0]:
            commands = [("TYPE", key), ("OBJECT", "ENCODING", key), ("DEBUG", "DIGEST-VALUE", key), ("PTTL", key)]
            replies = [side.connections[2].pipeline(commands) for side in self.sides()]
            for command, theirs, ours in zip(commands, *replies):
                mode = "near" if command[0] == "PTTL" else "exact"
                args = list(command[:-1]) + [theirs_type(replies[0])] + [key]
                if same(theirs, ours, mode) or self.intended.covers(args, theirs, ours):
                    continue
                if args[:3] != ["DEBUG", "DIGEST-VALUE", "zset"] or not self.same_scores(key):
                    raise Difference(index, (0, mode, args), theirs, ours)
            self.commands += len(commands)

    def same_scores(self, key):
        """As numbers: small sorted sets lose the sign of -0, and when one is big from the start differs since Redis 7.2."""
        theirs, ours = (side.connections[2].call("ZRANGE", key, "0", "-1", "WITHSCORES") for side in self.sides())
        if theirs and not isinstance(theirs[0], list):  # RESP2
            theirs, ours = zip(theirs[::2], theirs[1::2]), zip(ours[::2], ours[1::2])
        return [(member, float(score)) for member, score in theirs] == [(member, float(score)) for member, score in ours]

    def expired_meanwhile(self, theirs, ours):
        time.sleep(0.05)
        again = [sorted(side.connections[2].call("KEYS", "*")) for side in self.sides()]
        return again[0] == again[1] and (again[0] != theirs or again[1] != ours)

    # ---- Reporting

    def attempt(self, family, seed, steps, resp):
        try:
            try:
                self.run_steps(steps, resp)
            except Parted:
                pass
            self.passed += 1
        except Difference as difference:
            self.failed += 1
            signature = difference.signature()
            self.seen[signature] = self.seen.get(signature, 0) + 1
            if self.seen[signature] == 1:
                self.report(family, seed, steps, resp, difference)

    def report(self, family, seed, steps, resp, difference):
        steps = steps[:difference.index + 1]
        fewer = None
        if len(self.seen) <= self.options.shrink:
            fewer, difference = self.shrink(steps, resp, difference)
        print(f"\nDIFFERENCE family {family}, RESP{resp}, seed {seed}")
        for connection, mode, args in (fewer or steps[-1:]):
            print("    " + ("2> " if connection else "") + " ".join(quoted(a) for a in args) + ("" if not mode.startswith("!") else f"   ({mode})"))
        print(f"  at:    {' '.join(quoted(a) for a in difference.step[2])}")
        print(f"  redis: {show(difference.theirs, 700)}")
        print(f"  synap: {show(difference.ours, 3000)}", flush=True)

    def shrink(self, steps, resp, found):
        """Leaves out runs of steps, ever shorter ones, as long as the same kind of difference shows. Steps and difference."""
        deadline = time.time() + 20

        def shows(candidate):
            try:
                self.run_steps(candidate, resp)
            except Difference as difference:
                return difference if difference.signature() == found.signature() else None
            except (OSError, ConnectionError, Parted):
                return None
            return None
        size = len(steps) // 2
        while size >= 1 and time.time() < deadline:
            at = 0
            while at < len(steps) - 1 and time.time() < deadline:
                candidate = steps[:at] + steps[min(at + size, len(steps) - 1):]
                shown = shows(candidate)
                if shown:
                    steps, found = candidate[:shown.index + 1], shown
                else:
                    at += size
            size //= 2
        return steps, found

    def fail(self, family, name, theirs, ours):
        """For families with a run() of their own."""
        self.failed += 1
        signature = (family, name)
        self.seen[signature] = self.seen.get(signature, 0) + 1
        print(f"\nDIFFERENCE family {family}: {name}\n  redis: {theirs}\n  synap: {ours}", flush=True)

    def close(self):
        for side in self.sides():
            side.server.stop()


ONLY_READ = re.compile(r"(BITCOUNT|BITPOS|Z(REV)?RANK|XREAD|[SHZ]?SCAN|COMMAND|SCRIPT|ACL|CONFIG|DEBUG|OBJECT)$", re.I)


def part_ways(args, theirs, ours):
    """After an intended difference: did one side do what the other refused?"""
    queued = (b"+", b"QUEUED") in (theirs, ours)
    if (theirs[0] == b"-") != (ours[0] == b"-") and (queued or not ONLY_READ.match(str(args[0]))):
        raise Parted


def theirs_type(replies):
    return replies[0][1].decode()


def quoted(arg):
    if len(arg) > 60 and len(set(arg)) == 1:
        return f"{quoted(arg[:1])}x{len(arg)}"
    if isinstance(arg, bytes):
        return repr(arg)[1:]
    return arg if re.fullmatch(r"[\w.:*+()\[\]-]+", arg) else repr(arg)


def templates(module):
    lines = [line.strip() for line in module.TABLE.splitlines()]
    rows = []
    for line in lines:
        if line and not line.startswith("#"):
            weight = 1
            match = re.match(r"(\d+)\* ", line)
            if match:
                weight, line = int(match.group(1)), line[match.end():]
            rows += [grammar.Template(line)] * weight
    return rows


def make_round(module, seed, count):
    """The steps of one round, all from the seed."""
    rng = grammar.seeded(seed)
    atoms = module.ATOMS
    steps = []
    for directive, choices in getattr(module, "LIMITS", {}).items():
        steps.append((0, "exact", ["CONFIG", "SET", directive, str(rng.choice(choices))]))
    for line in getattr(module, "SETUP", "").strip().splitlines():
        if line.strip():
            steps += grammar.Template(line.strip()).generate(rng, atoms)
    rows = templates(module)
    mutations = getattr(module, "MUTATIONS", 0.07)
    since_state, transaction = 0, 0
    while count > 0:
        commands = rng.choice(rows).generate(rng, atoms)
        count -= len(commands)
        since_state += len(commands)
        if len(commands) == 1 and not commands[0][1].startswith("!"):
            connection, mode, args = commands[0]
            if "fixed" not in mode and rng.random() < mutations:
                commands = [(connection, mode, grammar.mutate(args, rng))]
            elif len(args) > 1 and rng.random() < 0.03:
                commands = [(connection, "exact", ["COMMAND", rng.choice(["GETKEYS", "GETKEYSANDFLAGS"])] + args)]
            if transaction == 0 and rng.random() < getattr(module, "TRANSACTIONS", 0.03):
                steps.append((0, "exact", ["MULTI"]))
                transaction = rng.randint(1, 6)
        if transaction and len(commands) > 1:
            continue
        steps += commands
        if transaction:
            transaction -= 1
            if transaction == 0:
                steps.append((0, "exact", ["EXEC"]))
        elif since_state >= STATE_EVERY:
            steps.append((0, "!state", ["state"]))
            since_state = 0
    if transaction:
        steps.append((0, "exact", ["EXEC"]))
    return steps + [(0, "!state", ["state"])]


def load_families(names):
    found = sorted(info.name for info in pkgutil.iter_modules(families.__path__))
    unknown = set(names) - set(found)
    if unknown:
        sys.exit(f"no family {', '.join(unknown)}; there are: {' '.join(found)}")
    return {name: importlib.import_module("families." + name) for name in (names or found)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", nargs="+", default=[])
    parser.add_argument("--seconds", type=float, default=0, help="stop after this time (default: by --rounds)")
    parser.add_argument("--rounds", type=int, default=20, help="rounds for each family")
    parser.add_argument("--seed", default="1", help="a number, or random")
    parser.add_argument("--server", default=synap_binary())
    parser.add_argument("--reference", default="redis-server")
    parser.add_argument("--commands", type=int, default=COMMANDS_PER_ROUND)
    parser.add_argument("--shrink", type=int, default=12, help="cut down this many differences")
    parser.add_argument("--resp", type=int, choices=(2, 3))
    options = parser.parse_args()
    seed = random.randrange(1 << 32) if options.seed == "random" else int(options.seed)
    print(f"seed {seed}", flush=True)
    modules = load_families(options.family)
    test = Test(options)
    began = time.time()
    try:
        for name, module in modules.items():
            if hasattr(module, "run"):
                module.run(test, grammar.seeded(seed, name))
                for side in test.sides():
                    side.renew()
        rounds = 0
        generated = {name: module for name, module in modules.items() if hasattr(module, "TABLE")}
        while generated and (time.time() - began < options.seconds if options.seconds else rounds < options.rounds):
            for name, module in generated.items():
                round_seed = f"{seed}:{name}:{rounds}"
                resp = options.resp or 2 + rounds % 2
                test.attempt(name, round_seed, make_round(module, round_seed, options.commands), resp)
            rounds += 1
    finally:
        test.close()
    if test.seen:
        print("\ndifferences by kind:")
        for signature, count in sorted(test.seen.items(), key=lambda item: -item[1]):
            print(f"  {count:4}  " + "  ".join(signature))
    print(f"{test.commands} commands compared in {time.time() - began:.0f} s, seed {seed}")
    print(f"{test.passed} passed, {test.failed} failed")
    return 1 if test.failed or not test.passed else 0


if __name__ == "__main__":
    sys.exit(main())
