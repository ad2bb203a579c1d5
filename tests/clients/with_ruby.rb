# Debian's ruby-redis against the server on the port given: see run.py.
require "redis"

PORT = ARGV[0].to_i

def client
  Redis.new(host: "127.0.0.1", port: PORT, timeout: 20)
end

def check(got, wanted)
  raise "#{got.inspect} instead of #{wanted.inspect}" unless got == wanted
end

PARTS = {
  "strings" => lambda do |r|
    check(r.set("s", "1", ex: 100), "OK")
    check(r.set("s", "2", nx: true), false)
    check(r.incrby("s", 41), 42)
    check(r.mset("a", "1", "b", "2"), "OK")
    check(r.mget("a", "b", "none"), ["1", "2", nil])
    check(r.mapped_mget("a", "b"), { "a" => "1", "b" => "2" })
    check(r.getrange("s", 0, 0), "4")
    bytes = (0..255).map(&:chr).join.b * 300
    r.set("bytes", bytes)
    check(r.get("bytes").b, bytes)
  end,
  "collections" => lambda do |r|
    check(r.hset("h", "f", "1", "g", "2"), 2)
    check(r.hgetall("h"), { "f" => "1", "g" => "2" })
    check(r.zadd("z", [[1.5, "a"], [2, "b"]]), 2)
    check(r.zrange("z", 0, -1, with_scores: true), [["a", 1.5], ["b", 2.0]])
    check(r.sadd("set", %w[x y]), 2)
    check(r.sscan_each("set").to_a.sort, %w[x y])
    check(r.scan_each(match: "*").to_a.sort, %w[h set z])
  end,
  "transactions" => lambda do |r|
    check(r.multi { |t| t.set("t", 1); t.incr("t") }, ["OK", 2])
    changed = r.watch("t") do
      client.set("t", "other")
      r.multi { |t| t.get("t") }
    end
    check(changed, nil)
    check(r.pipelined { |p| p.get("t"); p.exists("t") }, ["other", 1])
  end,
  "scripts" => lambda do |r|
    sha = r.script(:load, "return redis.call('INCRBY', KEYS[1], ARGV[1])")
    check(r.evalsha(sha, keys: ["n"], argv: [5]), 5)
    check(r.eval("return {1, 'two', {3}}"), [1, "two", [3]])
    begin
      r.eval("return redis.error_reply('MY error')")
      raise "no error"
    rescue Redis::CommandError => e
      check(e.message.start_with?("MY error"), true)
    end
  end,
  "streams" => lambda do |r|
    id = r.xadd("stream", { "f" => "1" })
    r.xgroup(:create, "stream", "group", "0")
    check(r.xreadgroup("group", "me", "stream", ">"), { "stream" => [[id, { "f" => "1" }]] })
    check(r.xack("stream", "group", id), 1)
    check(r.xlen("stream"), 1)
    check(r.xread("stream", "$", block: 20), {})
  end,
  "pubsub" => lambda do |r|
    got = []
    listener = Thread.new do
      client.subscribe("news") do |on|
        on.message do |channel, message|
          got << [channel, message]
          Thread.current[:done] = true
          raise Redis::BaseError, "done"
        end
      end
    rescue Redis::BaseError => e
      raise unless e.message == "done"
    end
    sleep 0.01 while r.publish("news", "hello").zero?
    listener.join(10)
    check(got.first, %w[news hello])
  end,
  "blocking" => lambda do |r|
    waiting = Thread.new { client.blpop("q1", "q2", timeout: 10) }
    sleep 0.01 while r.info("clients")["blocked_clients"] == "0"
    r.rpush("q2", "job")
    check(waiting.value, %w[q2 job])
    check(r.brpop("q1", timeout: 1), nil)
  end
}.freeze

PARTS.each do |name, part|
  r = client
  r.flushall
  begin
    part.call(r)
    puts "ok #{name}"
  rescue StandardError => e
    puts "failed #{name}: #{e.class} #{e.message} #{e.backtrace.first}"
  end
  r.close
end
puts "end"
