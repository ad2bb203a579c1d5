"""Debian's redis-py against the server on the port given: see run.py."""
import sys
import threading
import traceback

import redis

PORT = int(sys.argv[1])


def client(**options):
    return redis.Redis(port=PORT, decode_responses=True, socket_timeout=20, **options)


def check(got, wanted):
    if got != wanted:
        raise AssertionError(f"{got!r} instead of {wanted!r}")


def strings(r):
    check(r.set("s", "1", ex=100), True)
    check(r.set("s", "2", nx=True), None)
    check(r.incrby("s", 41), 42)
    check(r.append("s", "x"), 3)
    check(r.mset({"a": "1", "b": "2"}), True)
    check(r.mget("a", "b", "none"), ["1", "2", None])
    check(r.getdel("a"), "1")
    check(0 < r.ttl("s") <= 100, True)
    check(sorted(r.scan_iter("*")), ["b", "s"])
    raw = redis.Redis(port=PORT)
    data = bytes(range(256)) * 300
    check(raw.set("bytes", data), True)
    check(raw.get("bytes"), data)
    check(r.type("s"), "string")


def collections(r):
    check(r.hset("h", mapping={"f": "1", "g": "2"}), 2)
    check(r.hgetall("h"), {"f": "1", "g": "2"})
    check(r.zadd("z", {"a": 1.5, "b": 2}), 2)
    check(r.zrange("z", 0, -1, withscores=True), [("a", 1.5), ("b", 2.0)])
    check(r.sadd("set", "x", "y"), 2)
    check(r.smembers("set"), {"x", "y"})
    check(r.geoadd("geo", (13.361389, 38.115556, "Palermo")), 1)
    check(r.pfadd("hll", "a", "b"), 1)
    check(list(r.sscan_iter("set")) in (["x", "y"], ["y", "x"]), True)


def errors(r):
    r.set("text", "x")
    try:
        r.lpush("text", "y")
    except redis.ResponseError as error:
        check(str(error), "WRONGTYPE Operation against a key holding the wrong kind of value")
    else:
        raise AssertionError("no error")


def transactions(r):
    with r.pipeline() as pipe:
        check(pipe.set("t", 1).incr("t").get("t").execute(), [True, 2, "2"])

    def raise_it(pipe):
        current = int(pipe.get("t"))
        pipe.multi()
        pipe.set("t", current + 1)

    check(r.transaction(raise_it, "t"), [True])
    with r.pipeline() as pipe:
        pipe.watch("t")
        r.set("t", "other")
        pipe.multi()
        pipe.get("t")
        try:
            pipe.execute()
        except redis.WatchError:
            pass
        else:
            raise AssertionError("the watched key changed, and EXEC ran")
    lock = r.lock("lock", timeout=10)
    check(lock.acquire(), True)
    check(r.lock("lock", timeout=10).acquire(blocking=False), False)
    lock.release()


def scripts(r):
    add = r.register_script("return {redis.call('INCRBY', KEYS[1], ARGV[1]), ARGV[2]}")
    check(add(keys=["n"], args=[5, "x"]), [5, "x"])
    r.script_flush()
    check(add(keys=["n"], args=[5, "x"]), [10, "x"])  # NOSCRIPT, loads again
    check(r.eval("return redis.call('GET', KEYS[1])", 1, "n"), "10")
    check(r.function_load("#!lua name=lib\nredis.register_function('twice', function(k, a) return a[1] * 2 end)", replace=True), "lib")
    check(r.fcall("twice", 0, 21), 42)


def streams(r):
    first = r.xadd("stream", {"f": "1"})
    r.xadd("stream", {"f": "2"})
    check(r.xlen("stream"), 2)
    check(r.xgroup_create("stream", "group", id="0"), True)
    got = r.xreadgroup("group", "me", {"stream": ">"}, count=1)
    check(got, [["stream", [(first, {"f": "1"})]]])
    check(r.xack("stream", "group", first), 1)
    check(r.xpending("stream", "group")["pending"], 0)
    check(r.xinfo_stream("stream")["length"], 2)
    check(r.xread({"stream": "$"}, block=20), [])
    check([fields for _, fields in r.xrange("stream")], [{"f": "1"}, {"f": "2"}])


def pubsub(r):
    listener = r.pubsub(ignore_subscribe_messages=True)
    listener.subscribe("news")
    listener.psubscribe("n*")
    while r.publish("news", "hello") < 2:
        pass
    got = []
    while len(got) < 2:
        message = listener.get_message(timeout=10)
        if message and message["data"] == "hello":
            got.append(message["type"])
    check(sorted(got), ["message", "pmessage"])
    check(r.pubsub_numsub("news"), [("news", 1)])
    listener.close()


def blocking(r):
    got = []
    waiting = threading.Thread(target=lambda: got.append(client().blpop(["q1", "q2"], timeout=10)))
    waiting.start()
    while r.info("clients")["blocked_clients"] == 0:
        pass
    r.rpush("q2", "job")
    waiting.join()
    check(got, [("q2", "job")])
    check(r.brpop("q1", timeout=0.05), None)
    check(r.bzpopmin("zq", timeout=0.05), None)


def introspection(r):
    check(r.client_setname("tester"), True)
    check([c["name"] for c in r.client_list() if c["name"]], ["tester"])
    check(r.config_set("maxmemory-policy", "allkeys-lru"), True)
    check(r.config_get("maxmemory-policy"), {"maxmemory-policy": "allkeys-lru"})
    check(r.info("server")["redis_mode"], "standalone")
    check(r.command()["get"]["step_count"], 1)
    check(r.ping(), True)
    check(isinstance(r.slowlog_get(), list), True)


PARTS = [strings, collections, errors, transactions, scripts, streams, pubsub, blocking, introspection]
for part in PARTS:
    connection = client(single_connection_client=part is introspection)
    connection.flushall()
    try:
        part(connection)
        print("ok", part.__name__)
    except Exception as error:  # each part stands for itself; all are reported
        print(f"failed {part.__name__}: {error!r}", traceback.format_exc().replace("\n", " | "))
print("end")
