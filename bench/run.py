#!/usr/bin/env python3
"""Races synap-server, Debian's redis-server and the floor (our network and parser, nothing stored) on this machine, in turn
within one run, and writes bench/RESULTS.md. The chief measure is server CPU time per command: unlike throughput it does
not change with what else the machine does.

    bench/run.py [--quick] [--only strings,types,memory,scaling,tail,scripts,messages,durability,snapshots,children] [--output FILE]
                 [--tail ROW …] [--server PATH] [--peer NAME=PATH …] [--seconds N] [--turns N]

A row's servers live side by side and are measured in turns of N seconds; figures are medians of the turns, ratios the medians
of each turn's ratio. So a machine whose speed changes from second to second, as virtual ones do, changes it for all of them."""
import argparse
import contextlib
import datetime
import json
import os
import platform
import resource
import selectors
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(ROOT, "tests"))

from server_process import ServerProcess, synap_binary  # noqa: E402
from wire import ReplyError  # noqa: E402

# name, command, pipeline. {key} … are load.cc's.
STRINGS = [(f"{name}, pipeline {pipeline}" if pipeline > 1 else f"{name}, no pipeline", command, pipeline)
           for pipeline in (100, 16, 1)
           for name, command in (("SET", "SET {key} {value}"), ("GET", "GET {key}"), ("INCR", "INCR n:{key}"),
                                 ("MSET of 10", "MSET " + " ".join(["{key} {value}"] * 10)), ("PING", "PING"))
           if pipeline != 100 or name in ("SET", "GET")]

# name, set-up (command, how many), command, pipeline, budget beside Redis
TYPES = [
    ("LPUSH", [], "LPUSH l:{int} {value}", 16),
    ("RPUSH one list", [], "RPUSH onelist {value}", 16),
    ("LPOP", [("RPUSH l:{int} a b c d e f", 800000)], "LPOP l:{int}", 16),
    ("LRANGE_100", [("RPUSH range {value}", 600)], "LRANGE range 0 99", 4),
    ("LRANGE_600", [("RPUSH range {value}", 600)], "LRANGE range 0 599", 1),
    ("LINDEX middle of 100k", [("RPUSH biglist {value}", 100000)], "LINDEX biglist 50000", 16),
    ("SADD", [], "SADD s {member}", 16),
    ("SISMEMBER", [("SADD s {member}", 1000000)], "SISMEMBER s {member}", 16),
    ("SPOP", [("SADD s member:{tick}", 8000000)], "SPOP s", 16),
    ("SINTER of two 100k sets", [("SADD sa {member}", 110000), ("SADD sb {member}", 110000)], "SINTERCARD 2 sa sb", 1),
    ("HSET small hashes", [], "HSET h:{int} f {value}", 16),
    ("HSET big hash", [], "HSET h {member} {value}", 16),
    ("HGET big hash", [("HSET h {member} {value}", 1000000)], "HGET h {member}", 16),
    ("HGETALL of 50", [("HSET hh {member} {value}", 50)], "HGETALL hh", 4),
    ("ZADD", [], "ZADD z {score} {member}", 16),
    ("ZSCORE", [("ZADD z {score} {member}", 1000000)], "ZSCORE z {member}", 16),
    ("ZRANK", [("ZADD z {score} {member}", 1000000)], "ZRANK z {member}", 16),
    ("ZRANGE of 100", [("ZADD z {score} {member}", 1000000)], "ZRANGE z 5000 5099", 4),
    ("ZRANGEBYSCORE of 10", [("ZADD z {score} {member}", 1000000)], "ZRANGEBYSCORE z {score} +inf LIMIT 0 10", 16),
    ("ZPOPMIN", [("ZADD z {tick} member:{tick}", 6000000)], "ZPOPMIN z", 16),
    ("ZINCRBY", [("ZADD z {score} {member}", 1000000)], "ZINCRBY z 1 {member}", 16),
    ("SORT of 1000", [("RPUSH nums {int}", 1000)], "SORT nums LIMIT 0 10", 1),
    ("SETBIT", [], "SETBIT bits {int} 1", 16),
    ("BITCOUNT of 100 MB", [("SETBIT big 838860799 1", 1)], "BITCOUNT big", 1),
    ("PFADD", [], "PFADD p {member}", 16),
    ("PFCOUNT", [("PFADD p {member}", 100000)], "PFCOUNT p", 16),
    ("XADD", [], "XADD x * f {value}", 16),
    ("XRANGE of 100", [("XADD x * f {value}", 100000)], "XRANGE x - + COUNT 100", 4),
    ("XREAD of 10", [("XADD x * f {value}", 100000)], "XREAD COUNT 10 STREAMS x 0", 16),
    ("XREADGROUP and XACK none", [("XADD x * f {value}", 300000), ("XGROUP CREATE x g 0", 1)], "XREADGROUP GROUP g c COUNT 1 NOACK STREAMS x >", 16),
    ("GEOADD", [], "GEOADD g 13.{int} 38.{int} {member}", 16),
    ("GEOSEARCH 1 km of 100k", [("GEOADD g 13.{int} 38.{int} {member}", 100000)], "GEOSEARCH g FROMLONLAT 13.5 38.5 BYRADIUS 1 km ASC COUNT 10", 1),
    ("EXPIRE", [("SET {key} {value}", 1000000)], "EXPIRE {key} 1000", 16),
    ("DEL", [("SET {seq} {value}", 1000000)], "DEL {key}", 16),
]

# What two servers' results are divided by, and how a column says so
MEASURES = {"cpu_us": "", "per_second": " throughput"}

SMALL_SCRIPT = "return redis.call('INCR',KEYS[1])"
LIMITER = ("local n=redis.call('INCR',KEYS[1]) if n==1 then redis.call('PEXPIRE',KEYS[1],ARGV[1]) end "
           "if n>tonumber(ARGV[2]) then return 0 end return 1")
QUEUE = ("local id=redis.call('INCR',KEYS[1]..':id') local job={id=id,data=ARGV[1],tries=0,state='waiting'} "
         "redis.call('HSET',KEYS[1]..':'..(id%1000),'data',cjson.encode(job),'state',job.state) "
         "redis.call('ZADD',KEYS[1]..':due',id,id%1000) local due=redis.call('ZRANGEBYSCORE',KEYS[1]..':due',0,id,'LIMIT',0,2) "
         "local out={} for i,v in ipairs(due) do local raw=redis.call('HGET',KEYS[1]..':'..v,'data') "
         "if raw then local j=cjson.decode(raw) j.tries=j.tries+1 redis.call('HSET',KEYS[1]..':'..v,'data',cjson.encode(j)) out[#out+1]=v end end "
         "if #out>0 then redis.call('ZREM',KEYS[1]..':due',unpack(out)) end return out")
with open(os.path.join(HERE, "job_queue.lua"), encoding="utf-8") as lua:
    BIG_SCRIPT = lua.read()
CALLS = [("incr", SMALL_SCRIPT, "k:{int}", []), ("rate limiter", LIMITER, "k:{int}", ["10000", "100"]), ("small job queue", QUEUE, "k:{int}", ["payload"]),
         ("job queue of 50 lines", BIG_SCRIPT, "q:{int}", ["payload", "{tick}", "worker"])]
LIBRARY = "#!lua name=bench\n" + "\n".join(f"redis.register_function('f{i}', function(KEYS, ARGV) {script}\nend)" for i, (_, script, _, _) in enumerate(CALLS))
SCRIPTS = [(f"{kind} {name}, pipeline {pipeline}", [kind, script if kind == "EVAL" else f"f{i}", "1", key, *args], pipeline)
           for pipeline in (1, 16) for kind in ("EVAL", "FCALL") for i, (name, script, key, args) in enumerate(CALLS)]
SCRIPTS += [(f"{name}, pipeline {pipeline}", shlex.split(command), pipeline) for pipeline in (1, 16) for name, command in (
    ("MULTI of 10 INCR", "MULTI ; " + "INCR n:{int} ; " * 10 + "EXEC"),
    ("WATCH GET MULTI SET EXEC", "WATCH w:{tick} ; GET w:{tick} ; MULTI ; SET w:{tick} v ; EXEC"))]

# name, command, per how many elements, keys drawn from
MEMORY = [
    ("key of 16 bytes, value of 16 bytes", "SET {seq} xxxxxxxxxxxxxxxx", 1000000, None),
    ("key of 16 bytes, value of 64 bytes", "SET {seq} {value}", 1000000, None),
    ("the same with a TTL", "SET {seq} {value} EX 100000", 1000000, None),
    ("integer value", "SET {seq} {tick}", 1000000, None),
    ("big set, member of 17 bytes", "SADD s member:{tick}", 1000000, "s"),
    ("big set of integers", "SADD si {tick}", 1000000, "si"),
    ("big sorted set, member of 17 bytes", "ZADD z {tick} member:{tick}", 1000000, "z"),
    ("big hash, field of 17 bytes, value of 16", "HSET h member:{tick} xxxxxxxxxxxxxxxx", 1000000, "h"),
    ("list of 64 bytes", "RPUSH l {value}", 1000000, "l"),
    ("stream entry of one 64-byte field", "XADD x * f {value}", 1000000, "x"),
    ("small hashes of 5 fields", "HSET {seq} a 1 b 2 c 3 d 4 e 5", 300000, None),
    ("small sets of 5 members", "SADD {seq} a b c d e", 300000, None),
    ("small sorted sets of 5 members", "ZADD {seq} 1 a 2 b 3 c 4 d 5 e", 300000, None),
    ("small lists of 5 elements", "RPUSH {seq} a b c d e", 300000, None),
]

# name, clients, channels of each, whether these are the same for all
SUBSCRIPTIONS = [
    ("subscription of one client to 200,000 channels of 14 bytes", 1, 200000, True),
    ("subscription of 1,000 clients to the same 100 channels", 1000, 100, True),
    ("subscription of 1,000 clients to 100 channels of their own", 1000, 100, False),
]

# What the victim's GETs run beside: name, set-up pipeline (command, count), command, at most this many times
TAIL = [
    ("nothing", [], None, 0),
    ("KEYS *", [], "KEYS *", 2),
    ("MGET of 100,000 keys", [], "MGET*100000", 20),
    ("GET of 100 MB", [("SETRANGE big 104857599 x", 1)], "GET big", 10),
    ("DEBUG POPULATE 1,000,000", [], "DEBUG POPULATE 1000000 pop{turn} 64", 1),
    ("SUNION of two sets of a million", [("SADD sa member:{tick}", 1000000), ("SADD sb other:{tick}", 1000000)], "SUNIONSTORE out sa sb", 2),
    ("SORT of a million", [("RPUSH nums {int}", 1000000)], "SORT nums LIMIT 0 10", 2),
    ("LRANGE 0 -1 of a million", [("RPUSH nums {int}", 1000000)], "LRANGE nums 0 -1", 3),
    ("ZUNIONSTORE of two of a million", [("ZADD za {tick} member:{tick}", 1000000), ("ZADD zb {tick} other:{tick}", 1000000)], "ZUNIONSTORE zo 2 za zb", 1),
    ("DEL of a set of a million", [("SADD sd member:{tick}", 1000000)], "DEL sd", 1),
    ("UNLINK of a set of a million", [("SADD sd member:{tick}", 1000000)], "UNLINK sd", 1),
    ("EVAL that loops a second", [], ["EVAL", "local s=0 for i=1,5e7 do s=s+i%7 end return s", "0"], 1),
    ("BGSAVE", [], "BGSAVE", 1),
    ("FLUSHALL", [], "FLUSHALL", 1),
]


class Server:
    """A racer: how to start it, with which reactors."""

    def __init__(self, name, binary, io_threads=None):
        self.name, self.binary, self.io_threads = name, binary, io_threads

    def start(self, *more, folder=None, env=None):
        directives = ["--appendonly", "no", "--maxclients", "12000", "--client-output-buffer-limit", "normal 0 0 0"]
        if self.io_threads:
            directives += ["--io-threads", str(self.io_threads)]
        return ServerProcess(self.binary, *directives, *more, folder=folder, env=env)


class Bench:
    def __init__(self, options):
        self.options = options
        self.load_binary = os.environ.get("SYNAP_BENCH_LOAD", os.path.join(ROOT, "build/release/synap-bench-load"))
        self.disk = os.path.join(os.path.dirname(self.load_binary), "synap-bench-disk.so")
        floor = os.path.join(ROOT, "build/release/synap-bench-floor")
        self.synap = Server("synap", options.server, 1)
        self.synap_two = Server("synap, 2 reactors", options.server, 2)
        self.redis = Server("redis", "redis-server")
        self.peers = [Server(*peer.split("=", 1)) for peer in options.peer]
        self.floor = Server("floor", floor)
        self.out = []
        self.tail_seconds = self.tail_paused = 0
        self.generator_processors = os.sched_getaffinity(0)

    def scale(self, count):
        return max(1, count // 10) if self.options.quick and count > 100 else count

    def say(self, line=""):
        print(line, flush=True)
        self.out.append(line)

    def load(self, port, command, **options):
        words = command if isinstance(command, list) else shlex.split(command)
        arguments = [part for name, value in options.items() for part in ("--" + name.replace("_", "-"), str(value))]
        def place():
            os.sched_setaffinity(0, self.generator_processors)
        done = subprocess.run([self.load_binary, "--port", str(port), *arguments, *words], capture_output=True, text=True, check=False, preexec_fn=place)
        if done.returncode:
            raise RuntimeError(f"load {words[:4]}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def fill(self, server, command, count):
        """Runs a set-up command so often; {tick} and {seq} count up."""
        if count == 1:
            server.connect(timeout=120).call(*shlex.split(command))
            return
        done = self.load(server.port, command, connections=4, pipeline=min(100, count), requests=count, keys=self.scale(1000000))
        if done["errors"]:
            raise RuntimeError(f"{command}: {done['first_error']}")

    def measure(self, server, command, pipeline, connections=50, seconds=None):
        """CPU microseconds per command and the generator's own numbers, of a turn if nothing else is said."""
        before = server.cpu_seconds()
        done = self.load(server.port, command, connections=connections, pipeline=pipeline, keys=self.scale(1000000),
                         seconds=seconds or self.options.seconds)
        done["cpu_us"] = (server.cpu_seconds() - before) / max(1, done["requests"]) * 1e6
        if done["errors"]:
            done["note"] = done["first_error"]
        return done

    @contextlib.contextmanager
    def generator_apart(self):
        """The last processor is the generator's alone, the others are the servers' that start meanwhile."""
        processors = sorted(os.sched_getaffinity(0))
        self.generator_processors = {processors[-1]}
        os.sched_setaffinity(0, processors[:-1])
        try:
            yield
        finally:
            os.sched_setaffinity(0, processors)
            self.generator_processors = set(processors)

    def in_turns(self, racers, setup, command, pipeline):
        """What each turn measured of each racer that can run the row: {name: [result, …]}."""
        with contextlib.ExitStack() as stack:
            servers = {}
            for racer in racers:
                try:
                    server = stack.enter_context(racer.start())
                    for line, count in setup if racer is not self.floor else []:
                        self.fill(server, line, self.scale(count))
                    servers[racer.name] = server
                except (RuntimeError, ReplyError, OSError) as error:
                    print(f"{racer.name} {command}: {error}", file=sys.stderr)
            turns = {name: [] for name in servers}
            for turn in range(self.options.turns):
                # Whoever follows another finds the machine as that one left it; so the order changes too.
                names = list(servers) if turn % 2 == 0 else list(reversed(servers))
                for name in names:
                    turns[name].append(self.measure(servers[name], command, pipeline))
        return turns

    def table(self, head, rows):
        self.say("| " + " | ".join(head) + " |")
        self.say("|" + "---|" * len(head))
        for row in rows:
            self.say("| " + " | ".join(str(cell) for cell in row) + " |")
        self.say()

    # ---- Sections

    def race(self, racers, workloads, setup_of=lambda name: [], ratios=(("synap", "redis", "cpu_us"),)):
        """`ratios`: first racer, second racer, what of them is divided."""
        head = (["workload"] + [f"{r.name} µs" for r in racers] + [f"{a}/{b}{MEASURES[what]}" for a, b, what in ratios] +
                [f"{r.name}/s, p50, p99, p99.9 µs" for r in racers])
        rows = []
        for name, command, pipeline in workloads:
            running = [r for r in racers if r is not self.floor or name.startswith(("SET", "GET", "PING", "INCR"))]
            turns = self.in_turns(running, setup_of(name), command, pipeline)
            medians = {who: {what: statistics.median(turn[what] for turn in results) for what in results[0] if what not in ("note", "first_error")}
                       for who, results in turns.items()}
            notes = {who: next((f" ({turn['note']})" for turn in results if "note" in turn), "") for who, results in turns.items()}
            row = [name] + [f"{medians[r.name]['cpu_us']:.2f}{notes[r.name]}" if r.name in turns else "–" for r in racers]
            row += [f"{statistics.median(one[what] / other[what] for one, other in zip(turns[a], turns[b])):.2f}" if a in turns and b in turns else "–"
                    for a, b, what in ratios]
            row += ["{per_second:,.0f}, {p50_us:.0f}, {p99_us:.0f}, {p999_us:.0f}".format(**medians[r.name]) if r.name in turns else "–" for r in racers]
            rows.append(row)
            print("  " + "  ".join(row), flush=True)
        self.table(head, rows)

    def strings(self):
        self.say("## Strings: server CPU per command\n")
        self.say(f"One reactor, 50 connections, {self.scale(1000000):,} keys, 64-byte values. The floor stores nothing.\n")
        self.race([self.synap, self.redis, self.floor, *self.peers], STRINGS,
                  lambda name: [("SET {seq} {value}", 1000000)] if name.startswith(("GET", "SET")) else [],
                  (("synap", "redis", "cpu_us"), ("synap", "floor", "cpu_us")))

    def types(self):
        self.say("## Data types: server CPU per command\n")
        setups = {name: setup for name, setup, _, _ in TYPES}
        self.race([self.synap, self.redis, *self.peers], [(n, c, p) for n, _, c, p in TYPES], lambda name: setups[name])

    def scripts(self):
        self.say("## Scripts: server CPU per call\n")
        self.race([self.synap, self.redis, *self.peers], SCRIPTS,
                  lambda name: [(shlex.join(["FUNCTION", "LOAD", LIBRARY]), 1)] if name.startswith("FCALL") else [])

    def memory(self):
        self.say("## Memory: bytes per key or element, from used_memory (and from resident memory)\n")
        rows = []
        racers = [self.synap, self.redis, *self.peers]
        for name, command, count, _ in MEMORY:
            count = self.scale(count)
            row = [name]
            for racer in racers:
                with racer.start("--maxmemory-policy", "noeviction") as server:
                    connection = server.connect(timeout=60)
                    time.sleep(0.2)
                    used, rss = int(connection.info("memory")["used_memory"]), server.rss_bytes()
                    done = self.load(server.port, command, connections=1, pipeline=100, requests=count, keys=1000000000)
                    time.sleep(0.3)
                    used = int(connection.info("memory")["used_memory"]) - used
                    rss = server.rss_bytes() - rss
                    row.append(f"{used / done['requests']:.1f} ({rss / done['requests']:.0f})" + (" " + done["first_error"] if done["errors"] else ""))
            rows.append(row)
            print("  " + "  ".join(row), flush=True)
        for name, clients, channels, same in SUBSCRIPTIONS:
            row = [name]
            for racer in racers:
                with racer.start() as server:
                    row.append(self.subscription_bytes(server, self.scale(clients), self.scale(channels), same))
            rows.append(row)
            print("  " + "  ".join(row), flush=True)
        self.table(["what", *[r.name for r in racers]], rows)

    def subscription_bytes(self, server, clients, channels, same):
        """Looked at before and after when the clients have been idle for so long that their buffers are small again."""
        at_once, idle_s = 100, 10
        control = server.connect(timeout=60)
        subscribers = [server.connect(timeout=60) for _ in range(clients)]
        for subscriber in subscribers:
            subscriber.call("PING")
        time.sleep(idle_s)
        used, rss = int(control.info("memory")["used_memory"]), server.rss_bytes()
        for index, subscriber in enumerate(subscribers):
            names = [f"channel:{channel + (0 if same else index * channels):06}" for channel in range(channels)]
            for first in range(0, channels, at_once):
                subscriber.send("SUBSCRIBE", *names[first:first + at_once])
                for _ in names[first:first + at_once]:
                    subscriber.read()
        time.sleep(idle_s)
        used = int(control.info("memory")["used_memory"]) - used
        rss = server.rss_bytes() - rss
        for subscriber in subscribers:
            subscriber.close()
        return f"{used / (clients * channels):.1f} ({rss / (clients * channels):.0f})"

    def scaling(self):
        self.say("## Scaling: one reactor and two\n")
        def both():
            self.race([self.synap, self.synap_two], [w for w in STRINGS if w[0].startswith(("SET", "GET"))],
                      lambda name: [("SET {seq} {value}", 1000000)],
                      tuple((self.synap_two.name, self.synap.name, what) for what in ("per_second", "cpu_us")))
        self.say("On a machine of two cores the generator shares them; the CPU per command shows what the locks cost.\n")
        both()
        self.say("The same with the last processor for the generator alone. Where that leaves one for the server, it shows what a second "
                 "reactor costs when it brings no processor with it.\n")
        with self.generator_apart():
            both()
        racers = (self.synap, self.synap_two, self.redis)
        seconds = {racer.name: [] for racer in racers}
        with contextlib.ExitStack() as stack:
            servers = {racer.name: stack.enter_context(racer.start()) for racer in racers}
            for server in servers.values():
                for name in ("a", "b"):
                    self.fill(server, f"SADD {name}1 member:{{tick}}", self.scale(300000))
                    self.fill(server, f"SADD {name}2 other:{{tick}}", self.scale(300000))
            for turn in range(1 if self.options.quick else 5):
                for name, server in servers.items() if turn % 2 == 0 else reversed(servers.items()):
                    seconds[name].append(self.heavy_clients_seconds(server))
        self.say("Two clients, each 5 SUNIONSTORE of two sets of 300,000 on keys of its own (median of five turns):\n")
        self.table(["server", "both done after"], [[name, f"{statistics.median(turns):.2f} s"] for name, turns in seconds.items()])

    def heavy_clients_seconds(self, server):
        began = time.time()
        threads = [threading.Thread(target=self.heavy_client, args=(server, name)) for name in ("a", "b")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.time() - began

    @staticmethod
    def heavy_client(server, name):
        connection = server.connect(timeout=120)
        for _ in range(5):
            connection.call("SUNIONSTORE", name + "3", name + "1", name + "2")
        connection.close()

    def tail(self):
        self.say("## Tail latency of GET beside heavy commands\n")
        keys = self.scale(5000000)
        self.say(f"{keys:,} keys of 64 bytes; 10 connections send 5,000 GET/s (open loop: a late start counts), no pipeline, while another client runs the "
                 "command named. p99.9 (median of five turns) and maximum in ms; in brackets how long the heavy command took. Time in which one of "
                 "the machine's processors stood still (`synap-bench-load --without-pauses`) does not count.\n")
        racers = [self.synap, self.synap_two, self.redis]
        rows = []
        with contextlib.ExitStack() as stack:
            servers = [stack.enter_context(racer.start()) for racer in racers]
            controls = [server.connect(timeout=300) for server in servers]
            for name, setup, command, times in (row for row in TAIL if not self.options.tail or row[0] in self.options.tail):
                results = [[] for _ in racers]
                for turn in range(1 if self.options.quick else 5):
                    for server, control, result in zip(servers, controls, results):
                        if control.call("DBSIZE") < keys:
                            control.call("DEBUG", "POPULATE", str(keys), "key", "64")
                        for line, count in setup:
                            if control.call("EXISTS", line.split()[1]) == 0:
                                self.fill(server, line, self.scale(count))
                        while control.info("persistence")["rdb_bgsave_in_progress"] == "1":  # the last turn's
                            time.sleep(0.1)
                        result.append(self.tail_case(server, command, times, keys, turn))
                rows.append([name, *(self.tail_cell(result) for result in results)])
                print("  " + "  ".join(rows[-1]), flush=True)
        self.table(["beside", *[racer.name for racer in racers]], rows)
        self.say(f"Not counted: {self.tail_paused / self.tail_seconds:.2%} of the time.\n")

    @staticmethod
    def tail_cell(cases):
        p999_ms, max_ms, took = zip(*cases)
        errors = [one for one in took if isinstance(one, str)]
        took_ms = max((one for one in took if isinstance(one, float)), default=None)
        return f"{statistics.median(p999_ms):.2f}, {max(max_ms):.1f}" + (f" ({errors[0]})" if errors else f" ({took_ms:.0f} ms)" if took_ms is not None else "")

    def tail_case(self, server, command, times, keys, turn):
        """p99.9 and maximum in ms, and how long the longest of the heavy commands took (or its error)."""
        took = []
        stop = threading.Event()

        def heavy():
            # A client in Python takes a core for what the server sends it in no time; the cores are for the server here.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
            connection = server.connect(timeout=300)
            words = command if isinstance(command, list) else command.format(turn=turn).split()
            if isinstance(command, str) and command.startswith("MGET*"):
                words = ["MGET"] + [f"key:{i * 7 % keys}" for i in range(int(command[5:]))]
            time.sleep(0.3)
            for _ in range(times):
                began = time.time()
                try:
                    connection.call(*words)
                except ReplyError as error:
                    took.append(str(error))
                    break
                took.append(time.time() - began)
                if stop.is_set():
                    break
                time.sleep(0.02)
            connection.close()
        thread = threading.Thread(target=heavy)
        if command:
            thread.start()
        seconds = 3 if not self.options.quick else 2
        result = self.load(server.port, "GET key:{int}", connections=10, rate=5000, seconds=seconds, keys=keys, without_pauses=1)
        self.tail_seconds += result["seconds"]
        self.tail_paused += result["paused_seconds"]
        stop.set()
        if command:
            thread.join()
        errors = [one for one in took if isinstance(one, str)]
        return result["p999_us"] / 1000, result["max_us"] / 1000, errors[0] if errors else max(took) * 1000 if took else None

    def messages(self):
        self.say("## Publish: server CPU per message\n")
        racers = (self.synap, self.synap_two, self.redis)
        rows = []
        for subscribers in (1, 100, 5000):
            with contextlib.ExitStack() as stack:
                servers = {racer.name: stack.enter_context(racer.start()) for racer in racers}
                for server in servers.values():
                    stack.enter_context(subscribed(server, "news", self.scale(subscribers)))
                turns = {name: [] for name in servers}
                for _ in range(self.options.turns):
                    for name, server in servers.items():
                        turns[name].append(self.measure(server, "PUBLISH news {value}", 1, connections=1))
            row = [f"PUBLISH to {subscribers:,}"]
            for results in turns.values():
                per_second = statistics.median(turn["per_second"] for turn in results) * self.scale(subscribers)
                row.append(f"{statistics.median(turn['cpu_us'] for turn in results):.1f} ({per_second:,.0f}/s delivered)")
            row.append(f"{statistics.median(ours['cpu_us'] / theirs['cpu_us'] for ours, theirs in zip(turns['synap'], turns['redis'])):.2f}")
            rows.append(row)
            print("  " + "  ".join(row), flush=True)
        self.table(["what", *[racer.name for racer in racers], "synap/redis"], rows)

    def durability(self):
        self.say("## Append-only file: SET, and reads beside it\n")
        self.say("The files are in a RAM disk and each sync sleeps as long as the row says (`modelled_disk.cc`), for this machine's own disk takes\n"
                 "another time every minute. Reads are 500 GET/s of 5 clients (open loop).\n")
        rows = []
        for policy, sync_ms, connections, pipeline in (
                *(("always", sync_ms, *load) for sync_ms in (0.1, 1, 5) for load in ((50, 1), (50, 16), (500, 1))),
                ("everysec", 1, 50, 1), ("everysec", 1, 50, 16), ("no", 1, 50, 16)):
            row = [f"{policy}, sync of {sync_ms} ms, {connections} clients" + (f", pipeline {pipeline}" if pipeline > 1 else "")]
            turns = [[self.durable(racer, policy, sync_ms, connections, pipeline) for racer in (self.synap, self.synap_two, self.redis)]
                     for _ in range(3)]
            for results in zip(*turns):
                row.append("{per_second:,.0f}/s, {cpu_us:.1f} µs, reads p99 {reads_p99_us:,.0f} µs".format(
                    **{what: statistics.median(one[what] for one in results) for what in ("per_second", "cpu_us", "reads_p99_us")}))
            row.append(", ".join(f"{statistics.median(ours[what] / theirs[what] for ours, _, theirs in turns):.2f}"
                                 for what in ("per_second", "reads_p99_us")))
            rows.append(row)
            print("  " + "  ".join(row), flush=True)
        self.table(["what", "synap", "synap, 2 reactors", "redis", "synap/redis: throughput, p99"], rows)

    def durable(self, racer, policy, sync_ms, connections, pipeline):
        """A second of SETs beside a few reads, on a modelled disk."""
        seconds = 1
        folder = tempfile.mkdtemp(prefix="synap-bench-", dir="/dev/shm")
        disk = {"LD_PRELOAD": self.disk, "SYNAP_BENCH_SYNC_US": str(int(sync_ms * 1000))}
        try:
            with racer.start("--appendonly", "yes", "--appendfsync", policy, "--auto-aof-rewrite-percentage", "0",
                             folder=folder, env=disk) as server:
                reads = {}
                reader = threading.Thread(target=lambda: reads.update(self.load(server.port, "GET {key}", connections=5, rate=500, seconds=seconds)))
                reader.start()
                done = self.measure(server, "SET {key} {value}", pipeline, connections=connections, seconds=seconds)
                reader.join()
                return {**done, "reads_p99_us": reads["p99_us"]}
        finally:
            shutil.rmtree(folder)

    def snapshots(self):
        keys = self.scale(5000000)
        self.say(f"## Snapshots and start-up: {keys:,} mixed keys\n")
        rows = []
        for racer in (self.synap, self.redis):
            folder = tempfile.mkdtemp(prefix="synap-bench-")
            try:
                with racer.start(folder=folder) as server:
                    connection = server.connect(timeout=600)
                    connection.call("DEBUG", "POPULATE", str(keys * 8 // 10), "key", "64")
                    self.fill(server, "HSET hash:{seq} a 1 b 2 c 3", keys // 20)
                    self.fill(server, "ZADD z {tick} member:{tick}", keys // 20)
                    self.fill(server, "SADD set:{seq} a b c", keys // 20)
                    self.fill(server, "RPUSH list:{seq} a b c d", keys // 20)
                    began = time.time()
                    connection.call("SAVE")
                    save = time.time() - began
                    size = os.path.getsize(os.path.join(folder, "dump.rdb"))
                began = time.time()
                with racer.start(folder=folder) as server:
                    load = time.time() - began
                    began = time.time()
                    server.connect(timeout=600).call("CONFIG", "SET", "appendonly", "yes")
                    connection = server.connect(timeout=600)
                    while connection.info("persistence").get("aof_rewrite_in_progress") == "1" or connection.info("persistence").get("aof_rewrite_scheduled") == "1":
                        time.sleep(0.05)
                    rewrite = time.time() - began
                began = time.time()
                with racer.start("--appendonly", "yes", folder=folder):
                    aof_load = time.time() - began
                rows.append([racer.name, f"{save:.2f} s", f"{load:.2f} s", f"{rewrite:.2f} s", f"{aof_load:.2f} s", f"{size / 1e6:.0f} MB"])
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        self.table(["server", "SAVE", "start from RDB", "append-only file made", "start from it", "file"], rows)

    def children(self):
        keys = self.scale(5000000)
        self.say(f"## BGSAVE and BGREWRITEAOF of {keys:,} keys beside 50,000 writes/s\n")
        self.say("GET's p99.9 and maximum in ms (1,000/s, open loop) over the whole time, the child's life in seconds, and how much memory was copied "
                 "because of it. appendfsync everysec.\n")
        rows = {"BGSAVE": ["BGSAVE"], "BGREWRITEAOF": ["BGREWRITEAOF"]}
        racers = [self.synap, self.synap_two, self.redis]
        for racer in racers:
            with racer.start("--appendonly", "yes", "--auto-aof-rewrite-percentage", "0") as server:
                control = server.connect(timeout=300)
                control.call("DEBUG", "POPULATE", str(keys), "key", "64")
                for command, row in rows.items():
                    row.append(self.child_case(server, control, command, keys))
                    print(f"  {racer.name}: {command}: {row[-1]}", flush=True)
        self.table(["child", *[racer.name for racer in racers]], list(rows.values()))

    def child_case(self, server, control, command, keys):
        running, copied = {"BGSAVE": ("rdb_bgsave_in_progress", "rdb_last_cow_size"),
                           "BGREWRITEAOF": ("aof_rewrite_in_progress", "aof_last_cow_size")}[command]
        seconds = 12 if not self.options.quick else 3
        writes = threading.Thread(target=lambda: self.load(server.port, "SET key:{int} {value}", pipeline=8, connections=10, rate=50000,
                                                           seconds=seconds + 1, keys=keys))
        took = []

        def child():
            time.sleep(0.5)
            began = time.time()
            control.call(command)
            while control.info("persistence")[running] == "1":
                time.sleep(0.1)
            took.append(time.time() - began)
        watcher = threading.Thread(target=child)
        writes.start()
        watcher.start()
        result = self.load(server.port, "GET key:{int}", connections=5, rate=1000, seconds=seconds, keys=keys)
        watcher.join()
        writes.join()
        megabytes = int(control.info("persistence")[copied]) / 1e6
        return f"{result['p999_us'] / 1000:.2f}, {result['max_us'] / 1000:.1f} ({took[0]:.1f} s, {megabytes:.0f} MB)"


@contextlib.contextmanager
def subscribed(server, channel, count):
    """So many subscribers whose messages are read all the time, so that nobody is a slow reader."""
    selector = selectors.DefaultSelector()
    for _ in range(count):
        connection = server.connect()
        connection.call("SUBSCRIBE", channel)
        connection.socket.setblocking(False)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
    stop = threading.Event()

    def read():
        while not stop.is_set():
            for key, _ in selector.select(0.05):
                with contextlib.suppress(OSError):
                    key.fileobj.recv(1 << 20)
    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        stop.set()
        reader.join()
        for key in list(selector.get_map().values()):
            key.data.close()


def machine():
    model = "?"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release()}"


def version(binary):
    done = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


SECTIONS = ["strings", "memory", "scaling", "tail", "types", "scripts", "messages", "durability", "snapshots", "children"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the keys, a third of the turns")
    parser.add_argument("--only", default=",".join(SECTIONS))
    parser.add_argument("--tail", nargs="+", default=[], metavar="ROW", help="of the tail section only these rows")
    parser.add_argument("--output", help="file to write (default bench/RESULTS.md for a whole run, else none)")
    parser.add_argument("--server", default=synap_binary())
    parser.add_argument("--peer", action="append", default=[], help="another server to race, NAME=PATH")
    parser.add_argument("--seconds", type=float, help="length of a turn")
    parser.add_argument("--turns", type=int)
    options = parser.parse_args()
    options.seconds = options.seconds or (0.3 if options.quick else 0.5)
    options.turns = options.turns or (3 if options.quick else 9)
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)  # many subscribers
    sections = options.only.split(",")
    bench = Bench(options)
    bench.say("# Benchmark results\n")
    bench.say(f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC · {machine()}  ")
    bench.say(f"command: `bench/run.py {' '.join(sys.argv[1:])}`  ")
    bench.say(f"synap: `{version(options.server)}`  ")
    bench.say(f"redis: `{version(shutil.which('redis-server') or 'redis-check-rdb')}`\n")
    for section in sections:
        if section not in SECTIONS:
            parser.error(f"no section {section}; there are {', '.join(SECTIONS)}")
        getattr(bench, section)()
    output = options.output or (os.path.join(HERE, "RESULTS.md") if options.only == ",".join(SECTIONS) and not options.quick else None)
    if output:
        with open(output, "w", encoding="utf-8") as file:
            file.write("\n".join(bench.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
