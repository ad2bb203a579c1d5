// ioredis against the server on the port given: see run.py.
const { load, check, until, runParts } = require("./harness.js");
const Redis = load("ioredis");

const port = Number(process.argv[2]);
const connect = () => new Redis(port, { commandTimeout: 20000, maxRetriesPerRequest: 0 });
const r = connect();

const parts = {
  async strings() {
    check(await r.set("s", "1", "EX", 100), "OK");
    check(await r.set("s", "2", "NX"), null);
    check(await r.incrby("s", 41), 42);
    check(await r.mset({ a: "1", b: "2" }), "OK");
    check(await r.mget("a", "b", "none"), ["1", "2", null]);
    const bytes = Buffer.alloc(70000, 0xfe);
    await r.set("bytes", bytes);
    check((await r.getBuffer("bytes")).equals(bytes), true);
    await check((await Promise.all(Array.from({ length: 500 }, (_, i) => r.incr("count" + (i % 7))))).length, 500);
  },
  async collections() {
    check(await r.hset("h", { f: "1", g: "2" }), 2);
    check(await r.hgetall("h"), { f: "1", g: "2" });
    check(await r.zadd("z", 1.5, "a", 2, "b"), 2);
    check(await r.zrange("z", 0, -1, "WITHSCORES"), ["a", "1.5", "b", "2"]);
    const found = [];
    for await (const keys of r.scanStream({ match: "*", count: 10 })) found.push(...keys);
    check(found.sort(), ["h", "z"]);
  },
  async transactions() {
    check(await r.multi().set("t", 1).incr("t").exec(), [[null, "OK"], [null, 2]]);
    await r.watch("t");
    const other = connect();
    await other.set("t", "other");
    other.disconnect();
    check(await r.multi().get("t").exec(), null);
    check(await r.pipeline().get("t").exists("t").exec(), [[null, "other"], [null, 1]]);
  },
  async scripts() {
    r.defineCommand("addup", { numberOfKeys: 1, lua: "return {redis.call('INCRBY', KEYS[1], ARGV[1]), ARGV[2]}" });
    check(await r.addup("n", 5, "x"), [5, "x"]);
    await r.script("FLUSH");
    check(await r.addup("n", 5, "x"), [10, "x"]);
    await r.eval("return redis.error_reply('MY error')", 0).then(
      () => { throw new Error("no error"); }, (error) => check(error.message.startsWith("MY error"), true));
  },
  async streams() {
    const id = await r.xadd("stream", "*", "f", "1");
    check(await r.xgroup("CREATE", "stream", "group", "0"), "OK");
    check(await r.xreadgroup("GROUP", "group", "me", "COUNT", 1, "STREAMS", "stream", ">"), [["stream", [[id, ["f", "1"]]]]]);
    check(await r.xack("stream", "group", id), 1);
    check(await r.xread("BLOCK", 20, "STREAMS", "stream", "$"), null);
  },
  async pubsub() {
    const listener = connect();
    const got = [];
    listener.on("message", (channel, message) => got.push([channel, message]));
    listener.on("pmessage", (pattern, channel, message) => got.push([pattern, channel, message]));
    check(await listener.subscribe("news", "more"), 2);
    check(await listener.psubscribe("n*"), 3);
    check(await r.publish("news", "hello"), 2);
    await until(() => got.length === 2);
    check(got, [["news", "hello"], ["n*", "news", "hello"]]);
    listener.disconnect();
  },
  async blocking() {
    const waiter = connect();
    const popped = waiter.blpop("q1", "q2", 10);
    await until(async () => !(await r.info("clients")).includes("blocked_clients:0"));
    await r.rpush("q2", "job");
    check(await popped, ["q2", "job"]);
    check(await waiter.brpop("q1", 0.05), null);
    waiter.disconnect();
  },
};

runParts(parts, () => r.flushall());
