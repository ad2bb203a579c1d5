-- A job queue as libraries on top of Redis write it: KEYS[1] is the queue's name, ARGV[1] the payload, ARGV[2] the time,
-- ARGV[3] the worker. Adds a job, promotes delayed ones, takes the next for the worker, finishes the one before.
local queue, payload, now, worker = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3]
local wait, active = queue .. ':wait', queue .. ':active'
local delayed, done = queue .. ':delayed', queue .. ':done'
local meta, events = queue .. ':meta', queue .. ':events'

local function job_key(id)
  return queue .. ':' .. id
end

local function emit(name, id)
  redis.call('XADD', events, 'MAXLEN', '~', 100, '*', 'event', name, 'job', id)
end

local function add(data)
  local id = redis.call('INCR', queue .. ':id') % 1000
  local options = cjson.decode('{"attempts":3,"backoff":{"type":"fixed","delay":10}}')
  redis.call('HSET', job_key(id), 'data', data, 'opts', cjson.encode(options), 'at', now, 'tries', 0)
  if id % 10 == 0 then
    redis.call('ZADD', delayed, now + options.backoff.delay, id)
    emit('delayed', id)
  else
    redis.call('LPUSH', wait, id)
    emit('waiting', id)
  end
  return id
end

local function promote()
  local due = redis.call('ZRANGEBYSCORE', delayed, 0, now, 'LIMIT', 0, 5)
  for _, id in ipairs(due) do
    redis.call('ZREM', delayed, id)
    redis.call('RPUSH', wait, id)
  end
  return #due
end

local function finish(id)
  redis.call('LREM', active, 1, id)
  redis.call('ZADD', done, now, id)
  redis.call('ZREMRANGEBYRANK', done, 0, -101)
  redis.call('HSET', job_key(id), 'finished', now)
  emit('completed', id)
end

if redis.call('HEXISTS', meta, 'paused') == 1 then return {0} end
add(payload)
promote()
local before = redis.call('HGET', meta, worker)
if before then finish(before) end
local id = redis.call('RPOPLPUSH', wait, active)
if not id then return {0} end
redis.call('HSET', meta, worker, id)
local tries = redis.call('HINCRBY', job_key(id), 'tries', 1)
local job = redis.call('HMGET', job_key(id), 'data', 'opts')
local options = job[2] and cjson.decode(job[2]) or {}
return {id, job[1], tries, options.attempts or 1}
