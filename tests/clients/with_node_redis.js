// node-redis against the server, in the protocol version and on the port given: see run.py.
const { load, check, until, runParts } = require("./harness.js");
const redis = load("redis");

const RESP = Number(process.argv[2]);
const url = `redis://127.0.0.1:${process.argv[3]}`;
const connect = async (options = {}) => {
  const client = redis.createClient({ url, RESP, socket: { reconnectStrategy: false }, ...options });
  client.on("error", (error) => console.log("failed connection: " + error.message));
  return client.connect();
};
let r;

const parts = {
  async strings() {
    check(await r.set("s", "1", { EX: 100 }), "OK");
    check(await r.set("s", "2", { NX: true }), null);
    check(await r.incrBy("s", 41), 42);
    check(await r.mSet({ a: "1", b: "2" }), "OK");
    check(await r.mGet(["a", "b", "none"]), ["1", "2", null]);
    check((await Promise.all(Array.from({ length: 500 }, (_, i) => r.incr("count" + (i % 7))))).length, 500);
    check(await r.sendCommand(["INCRBYFLOAT", "f", "1.5"]), "1.5");
  },
  async collections() {
    check(await r.hSet("h", { f: "1", g: "2" }), 2);
    check(await r.hGetAll("h"), { f: "1", g: "2" });
    check(await r.zAdd("z", [{ score: 1.5, value: "a" }, { score: 2, value: "b" }]), 2);
    check(await r.zRangeWithScores("z", 0, -1), [{ value: "a", score: 1.5 }, { value: "b", score: 2 }]);
    check(await r.zScore("z", "a"), 1.5);
    check(await r.sAdd("set", ["x", "y"]), 2);
    check([...(await r.sMembers("set"))].sort(), ["x", "y"]);
    const found = [];
    for await (const keys of r.scanIterator({ MATCH: "*" })) found.push(...keys);
    check(found.sort(), ["h", "set", "z"]);
  },
  async transactions() {
    check(await r.multi().set("t", "1").incr("t").exec(), ["OK", 2]);
    await r.watch("t");
    const other = await connect();
    await other.set("t", "other");
    other.destroy();
    await r.multi().get("t").exec().then(
      () => { throw new Error("the watched key changed, and EXEC ran"); },
      (error) => check(error.constructor.name, "WatchError"));
  },
  async scripts() {
    check(await r.eval("return {redis.call('INCRBY', KEYS[1], ARGV[1]), ARGV[2]}", { keys: ["n"], arguments: ["5", "x"] }), [5, "x"]);
    const sha = await r.scriptLoad("return redis.call('GET', KEYS[1])");
    check(await r.evalSha(sha, { keys: ["n"], arguments: [] }), "5");
    check(await r.functionLoad("#!lua name=lib\nredis.register_function('twice', function(k, a) return a[1] * 2 end)", { REPLACE: true }), "lib");
    check(await r.fCall("twice", { keys: [], arguments: ["21"] }), 42);
    if (RESP === 3) check(await r.eval("redis.setresp(3); return redis.call('HGETALL', 'none')", {}), {});
  },
  async streams() {
    const id = await r.xAdd("stream", "*", { f: "1" });
    check(await r.xGroupCreate("stream", "group", "0"), "OK");
    const got = await r.sendCommand(["XREADGROUP", "GROUP", "group", "me", "STREAMS", "stream", ">"]);
    check(got, RESP === 3 ? { stream: [[id, ["f", "1"]]] } : [["stream", [[id, ["f", "1"]]]]]);
    check(await r.xAck("stream", "group", id), 1);
    check(await r.xRange("stream", "-", "+"), [{ id, message: { f: "1" } }]);
  },
  async pubsub() {
    const listener = await connect();
    const got = [];
    await listener.subscribe("news", (message, channel) => got.push([channel, message]));
    await listener.pSubscribe("n*", (message, channel) => got.push(["n*", channel, message]));
    check(await r.publish("news", "hello"), 2);
    await until(() => got.length === 2);
    check(got, [["news", "hello"], ["n*", "news", "hello"]]);
    // A RESP3 connection with subscriptions keeps answering.
    if (RESP === 3) check(await listener.set("k", "v"), "OK");
    await listener.unsubscribe("news");
    check(await r.publish("news", "again"), 1);
    listener.destroy();
  },
  async blocking() {
    const waiter = await connect();
    const popped = waiter.blPop(["q1", "q2"], 10);
    await until(async () => !(await r.info("clients")).includes("blocked_clients:0"));
    await r.rPush("q2", "job");
    check(await popped, { key: "q2", element: "job" });
    check(await waiter.brPop("q1", 0.05), null);
    check(await waiter.bzPopMin("zq", 0.05), null);
    waiter.destroy();
  },
};

if (RESP === 3) {
  parts.caching = async () => {
    const caching = await connect({ clientSideCache: { ttl: 0, maxEntries: 0, evictPolicy: "LRU" } });
    await r.set("cached", "1");
    for (let i = 0; i < 10; ++i) check(await caching.get("cached"), "1");
    for (let i = 2; i < 30; ++i) {
      await r.set("cached", String(i));
      await until(async () => (await caching.get("cached")) === String(i));
    }
    await until(async () => (await r.info("stats")).includes("tracking_total_keys:1"));
    await r.flushAll();
    await until(async () => (await caching.get("cached")) === null);
    caching.destroy();
  };
}

connect().then((client) => {
  r = client;
  return runParts(parts, () => r.flushAll());
});
