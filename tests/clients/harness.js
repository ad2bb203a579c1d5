// What the scripts of npm's libraries share: the libraries' place, comparing, running parts one after the other.
const path = require("path");
const assert = require("assert");

exports.load = (name) => require(path.join(process.env.NODE_CLIENTS, "node_modules", name));

exports.check = (got, wanted) => assert.deepStrictEqual(plain(got), wanted);

// Objects without a prototype and maps compare as ordinary objects.
function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (Buffer.isBuffer(value) || value === null || typeof value !== "object") return value;
  const entries = value instanceof Map ? [...value.entries()] : Object.entries(value);
  return Object.fromEntries(entries.map(([key, item]) => [key, plain(item)]));
}

exports.until = async (condition) => {
  for (let i = 0; i < 1000; ++i) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("did not come true in 10 s");
};

exports.runParts = async (parts, begin) => {
  for (const [name, part] of Object.entries(parts)) {
    try {
      await begin();
      await part();
      console.log("ok " + name);
    } catch (error) {
      console.log(`failed ${name}: ${String(error.stack).replace(/\n/g, " | ")}`);
    }
  }
  console.log("end");
  process.exit();  // whatever a failed part has left open
};
