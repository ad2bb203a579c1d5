#!/usr/bin/env python3
"""Random commands at a server that must stay alive (best built with ASan): lines of the differential test's families and of
newer.py, heavily damaged; every command of COMMAND with arguments of any kind; broken protocol; DUMP payloads with bytes
changed, restored and then used. Every fourth round is one of life.py: many connections, whatever a client can do.
Everything follows from the seed; a round that ends the server or leaves something behind is printed and kept.

    tests/fuzz/server_fuzz.py [--binary PATH] [--seconds N] [--seed N|random] [--round K] [--life]"""
import argparse
import os
import random
import shutil
import socket
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [TESTS, os.path.join(TESTS, "differential"), HERE]

import differential  # noqa: E402
import grammar  # noqa: E402
import life  # noqa: E402
import newer  # noqa: E402
from server_process import ROOT, ServerProcess, synap_binary  # noqa: E402
from wire import encode  # noqa: E402

# Commands that end the server or the test by intent, each with why it is left out.
NOT_FUZZED = {
    "shutdown": "ends the server",
    "debug|segfault": "ends the server", "debug|panic": "ends the server", "debug|restart": "ends the server", "debug|assert": "ends the server",
    "debug|crash-and-recover": "ends the server", "debug|sleep": "waits as long as it is told", "debug|oom": "ends the server",
    "debug|leak": "leaks by intent", "debug|loadaof": "needs an append-only file, see tests/integration", "debug|aof-flush-sleep": "slows every write",
    "debug|set-active-expire": "stays set", "debug|pause-cron": "stays set", "debug|populate": "fills memory", "debug": "by subcommand, in newer.py",
    "replicaof": "turns the server into a replica that drops its data", "slaveof": "as replicaof", "sync": "turns the connection into a stream",
    "psync": "turns the connection into a stream", "migrate": "connects to any address it is given", "client|pause": "stops all clients",
    "config|set": "random settings (dir, port, requirepass) cut the test off; its grammar is drawn in the server family",
    "config|rewrite": "writes files", "acl|setuser": "drawn in the server family with rules that leave us in", "acl|deluser": "as acl|setuser",
    "acl|save": "writes files", "acl|load": "reads files", "module|load": "loads code", "module|loadex": "loads code", "client|reply": "replies stop",
    "wait": "waits", "waitaof": "waits", "cluster": "no cluster mode", "failover": "needs replicas", "config": "by subcommand", "acl": "by subcommand",
    "client": "by subcommand", "module": "by subcommand", "replconf": "internal",
}
SETTINGS = ["--proto-max-bulk-len", "1mb", "--maxmemory", "600mb", "--maxmemory-policy", "noeviction", "--io-threads", "2", "--io-threads-always-active", "yes", "--hz", "100",
            "--busy-reply-threshold", "200", "--lua-time-limit", "200", "--repl-diskless-sync", "no", "--stop-writes-on-bgsave-error", "no"]
COMMANDS_PER_ROUND = 400
LIFE_EVERY = 4
LIFE_SECONDS = 6
TROUBLE = ("Sanitizer", "runtime error:", "ASSERTION", "crashed by signal", "BUG REPORT")


class Fuzzer:
    def __init__(self, options):
        self.options = options
        self.families = [module for module in differential.load_families([]).values() if hasattr(module, "TABLE")] + [newer]
        self.lines = [(template, module.ATOMS) for module in self.families for template in differential.templates(module)]
        self.server = None
        self.first_used = {}  # by process: memory after its first round of life
        self.table = []
        self.sent = 0

    def start(self):
        self.server = ServerProcess(self.options.binary, *SETTINGS)
        connection = self.server.connect()
        reply = connection.typed("COMMAND", "LIST")
        names = [item[1].decode() for item in reply[1]] if reply[0] != b"-" else []
        for row in connection.typed("COMMAND")[1]:
            names += [sub[1][0][1].decode() for sub in (row[1][9][1] or [])] if len(row[1]) > 9 else []
        self.table = sorted(name for name in set(names) if name not in NOT_FUZZED and name.split("|")[0] not in ("debug", "cluster", "module"))
        connection.close()

    # ---- One round, all from its seed: a list of byte strings for each of three connections.

    def argument(self, rng):
        pick = rng.random()
        if pick < 0.5:
            return rng.choice(["s1", "s2", "h1", "l1", "z1", "set", "a", "b", "x1", "x", "g1", "p1", "b1", "key", "k1", "str", "list"])
        name = rng.choice(["value", "member", "int", "index", "count", "float", "score", "seconds", "millis", "pattern", "word"])
        return grammar.draw(name, rng, {})

    def command(self, rng):
        pick = rng.random()
        if pick < 0.62 or not self.table:
            template, atoms = rng.choice(self.lines)
            commands = [args for _, mode, args in template.generate(rng, atoms) if not mode.startswith("!")]
            if len(commands) == 1 and rng.random() < 0.35:
                for _ in range(rng.randint(1, 3)):
                    commands = [grammar.mutate(commands[0], rng)]
        else:
            name = rng.choice(self.table).split("|")
            words = [self.argument(rng) for _ in range(rng.choice([0, 1, 1, 2, 2, 3, 3, 4, 5, 8]))]
            keywords = rng.sample(["NX", "XX", "GET", "COUNT", "LIMIT", "BY", "STORE", "WITHSCORES", "BYSCORE", "BYLEX", "REV", "FIELDS", "IDS", "STREAMS",
                                   "GROUP", "BLOCK", "MATCH", "KEYS", "AGGREGATE", "WEIGHTS", "1", "2"], rng.randint(0, 2))
            for keyword in keywords:
                words.insert(rng.randint(0, len(words)), keyword)
            commands = [name + words]
        return [args for args in commands if args and not self.forbidden(args)]

    @staticmethod
    def forbidden(args):
        words = [a.decode("latin-1").lower() if isinstance(a, bytes) else a.lower() for a in args[:2]]
        if words[0] == "acl":
            return any("default" in str(a) for a in args) and words[-1] in ("setuser", "deluser")
        if words[0] == "config" or words[0] == "debug":
            return "|".join(words) in NOT_FUZZED or (words[-1] == "set" and any(str(a).lower() in ("requirepass", "dir", "port", "bind", "maxclients") for a in args))
        return words[0] in NOT_FUZZED and words[0] not in ("client", "acl") or "|".join(words) in NOT_FUZZED

    def damaged_payload(self, rng, connection):
        """A real DUMP payload with a few bytes changed and its checksum made right again half of the time."""
        key = rng.choice(["s1", "h1", "l1", "z1", "a", "x1", "ints", "lex", "g1", "p1"])
        reply = connection.typed("DUMP", key)
        if reply[0] != b"$" or not reply[1]:
            return []
        payload = bytearray(reply[1])
        for _ in range(rng.randint(1, 4)):
            kind = rng.randint(0, 3)
            at = rng.randrange(max(1, len(payload) - 10))
            if kind == 0:
                payload[at] = rng.randrange(256)
            elif kind == 1:
                payload[at] ^= 1 << rng.randrange(8)
            elif kind == 2:
                del payload[at]
            else:
                payload.insert(at, rng.randrange(256))
        body = bytes(payload[:-8])
        payload = body + (crc64(body).to_bytes(8, "little") if rng.random() < 0.9 else bytes(payload[-8:]))
        uses = [["TYPE"], ["OBJECT", "ENCODING"], ["DUMP"], ["LRANGE", 0, -1], ["HGETALL"], ["SMEMBERS"], ["ZRANGE", 0, -1, "WITHSCORES"], ["XRANGE", "-", "+"],
                ["HSET", "f", "v"], ["SADD", "m"], ["ZADD", "1", "m"], ["RPUSH", "e"], ["LPOP"], ["XINFO"], ["XADD", "*", "a", "b"], ["ZPOPMIN"], ["SPOP"],
                ["HDEL", "f"], ["LINSERT", "BEFORE", "a", "b"], ["ZRANK", "m"], ["GETRANGE", 0, -1], ["PFCOUNT"], ["COPY"], ["SORT", "ALPHA"], ["HINCRBY", "n", "1"]]
        commands = [["RESTORE", "damaged", "0", payload, "REPLACE"]]
        for use in rng.sample(uses, 8):
            if use == ["XINFO"]:
                commands.append(["XINFO", "STREAM", "damaged", "FULL"])
            elif use[0] == "OBJECT":
                commands.append(["OBJECT", "ENCODING", "damaged"])
            else:
                commands.append([use[0], "damaged", *map(str, use[1:])] + (["copied", "REPLACE"] if use == ["COPY"] else []))
        return commands

    @staticmethod
    def garbage(rng, data):
        kind = rng.randint(0, 3)
        if kind == 0:
            return bytes(rng.randrange(256) for _ in range(rng.randint(1, 200)))
        if kind == 1:
            return data[:rng.randrange(len(data))]
        if kind == 2:
            at = rng.randrange(len(data))
            return data[:at] + bytes([rng.randrange(256)]) + data[at + 1:]
        return rng.choice([b"*1\r\n$-1\r\n", b"*-5\r\n", b"*1000000\r\n", b"$5\r\nhello\r\n", b"*2\r\n$3\r\nGET\r\n$99999999\r\n", b"PING \"x\r\n", b"\r\n\r\n\n"])

    def round(self, number):
        """Plays one round; None, or what went wrong."""
        if self.options.life or number % LIFE_EVERY == LIFE_EVERY - 1:
            wrong, history = life.play(self, number, LIFE_SECONDS, grammar.seeded)
            return self.trouble(number, history, wrong)
        rng = grammar.seeded("fuzz", self.options.seed, number)
        connections = [None] * 3
        history = []
        try:
            setup = self.server.connect(timeout=20)
            setup.typed("FLUSHALL")
            if rng.random() < 0.5:
                connections[0] = self.server.connect(timeout=3)
                connections[0].typed("HELLO", "3")
            for module in rng.sample(self.families, 4):
                for line in getattr(module, "SETUP", "").strip().splitlines():
                    for _, _, args in grammar.Template(line.strip()).generate(rng, module.ATOMS):
                        setup.typed(*args)
            setup.pushes = []
            for _ in range(COMMANDS_PER_ROUND // 10):
                at = rng.randrange(3)
                if connections[at] is None:
                    connections[at] = self.server.connect(timeout=1)
                commands = [args for _ in range(10) for args in self.command(rng)]
                if rng.random() < 0.3:
                    commands += self.damaged_payload(rng, setup)
                data = b"".join(map(encode, commands))
                history.append((at, commands, data))
                if rng.random() < 0.06 and data:
                    data = self.garbage(rng, data)
                    history[-1] = (at, [["(raw bytes)", repr(data)[:2000]]], data)
                connections[at] = self.exchange(connections[at], data, len(commands))
                self.sent += len(commands)
                if not self.server.alive():
                    break
        except (OSError, ConnectionError, ValueError):
            pass
        finally:
            for connection in connections:
                if connection:
                    connection.close()
        return self.trouble(number, history)

    @staticmethod
    def exchange(connection, data, replies):
        """Sends and reads what comes; a connection that waits or is closed is given up."""
        try:
            connection.send_raw(data)
            connection.pushes = []
            connection.socket.settimeout(0.15)
            for _ in range(replies):
                connection.read()
            return connection
        except (OSError, ConnectionError, ValueError, socket.timeout):
            connection.close()
            return None

    def trouble(self, number, history, wrong=None):
        deadline = time.time() + 20
        answer = None
        while time.time() < deadline and self.server.alive() and answer is None:
            try:
                probe = self.server.connect(timeout=10)
                answer = probe.typed("PING")
                if answer[0] == b"-" and answer[1].startswith(b"BUSY"):
                    probe.typed("SCRIPT", "KILL")
                    answer = None
                    time.sleep(0.1)
                probe.close()
            except (OSError, ConnectionError):
                time.sleep(0.1)
        log = self.server.log()
        bad = next((word for word in TROUBLE if word in log), None)
        if self.server.alive() and answer is not None and not bad and not wrong:
            return None
        what = wrong or "no answer to PING"
        if bad or not self.server.alive():
            what = f"'{bad}' in the log" if bad else f"the server ended with {self.server.process.poll()}"
        folder = os.path.join(ROOT, "build", "fuzz", "server")
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, f"seed{self.options.seed}-round{number}.txt")
        with open(path, "w", encoding="utf-8") as file:
            for at, commands, _ in history:
                for args in commands:
                    file.write(f"{at}> " + " ".join(differential.quoted(a) for a in args) + "\n")
            file.write("\n" + log)
        start = log.find(bad) if bad else len(log)
        print(f"FAILED round {number}: {what}\n{log[max(0, start - 300):start + 3500]}\nlast commands:")
        for at, commands, _ in history[-2:]:
            for args in commands:
                print(f"  {at}> " + " ".join(differential.quoted(a) for a in args)[:300])
        print(f"all of it: {path}", flush=True)
        return what


def crc64(data):
    """CRC-64/Jones as RDB uses it, a bit at a time over a table made once."""
    if not CRC_TABLE:
        for i in range(256):
            value = i
            for _ in range(8):
                value = (value >> 1) ^ (0x95ac9329ac4bc9b5 if value & 1 else 0)
            CRC_TABLE.append(value)
    crc = 0
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ (crc >> 8)
    return crc


CRC_TABLE = []


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=synap_binary())
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--round", type=int, help="play only this round")
    parser.add_argument("--life", action="store_true", help="only rounds of life.py")
    parser.add_argument("--stop", action="store_true", help="end at the first failure")
    options = parser.parse_args()
    options.seed = str(random.randrange(1 << 32)) if options.seed == "random" else options.seed
    print(f"seed {options.seed}", flush=True)
    fuzzer = Fuzzer(options)
    fuzzer.start()
    passed = failed = 0
    began = time.time()
    number = options.round or 0
    while time.time() - began < options.seconds or options.round is not None:
        if fuzzer.round(number):
            failed += 1
            fuzzer.server.process.kill()
            fuzzer.server.stop()
            if options.stop or failed >= 5:
                fuzzer.server = None
                break
            fuzzer.start()
        else:
            passed += 1
        number += 1
        if options.round is not None:
            break
    if fuzzer.server:
        log_path, fuzzer.server.own_folder = fuzzer.server.log_path, False
        code = fuzzer.server.stop()
        with open(log_path, encoding="utf-8", errors="replace") as file:
            log = file.read()
        shutil.rmtree(fuzzer.server.folder, ignore_errors=True)
        if code != 0 or any(word in log for word in TROUBLE):
            print(f"the server ended with {code}:\n{log[-4000:]}")
            failed += 1
    print(f"{fuzzer.sent} commands in {time.time() - began:.0f} s, seed {options.seed}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
