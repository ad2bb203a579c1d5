#include "scripting/lua_prelude.h"

namespace synap {

// Redis's sorting order for unstable comparisons is Lua 5.1's quicksort with the median of three; so is this one.
// LESS is replaced by a call of the comparison, or by `<` itself.
const std::string_view kLuaPrelude = R"lua(
local native = ...
local type, error, tostring = native.type, native.error, native.tostring
local pcall, load_text, getn = native.pcall, native.load_text, native.getn
local find, sub, byte, concat, gsub = native.find, native.sub, native.byte, native.concat, native.gsub
local status, create = native.status, native.create
local resume_slice, yield_to_host, SUSPENDED = native.resume_slice, native.yield_to_host, native.suspended
local floor, pairs = native.floor, native.pairs

local exports = {}

-- A caught error of redis.call is a table in the end, but pcall gives its text, as before Redis 7.
local function caught(ok, problem, ...)
  if ok then return true, problem, ... end
  if type(problem) == 'table' then
    local text = problem.err
    if type(text) == 'string' or type(text) == 'number' then return false, text end
  elseif type(problem) == 'string' and sub(problem, 1, 11) == 'prelude:0: ' then
    problem = sub(problem, 12)
  end
  return false, problem
end

function exports.pcall(...)
  return caught(pcall(...))
end

local function handled(handler, ok, ...)
  if ok then return true, ... end
  local _, result = pcall(handler, ...)
  return false, result
end

function exports.xpcall(body, handler)
  return handled(handler, pcall(body))
end

function exports.load(reader, name)
  if type(reader) ~= 'function' then
    error("bad argument #1 to 'load' (function expected, got " .. type(reader) .. ")", 2)
  end
  local pieces = {}
  while true do
    local ok, piece = pcall(reader)
    if not ok then return nil, piece end
    if piece == nil or piece == '' then break end
    if type(piece) ~= 'string' and type(piece) ~= 'number' then return nil, 'reader function must return a string' end
    pieces[#pieces + 1] = piece
  end
  return load_text(concat(pieces), name or '=(load)')
end

-- Coroutines of scripts. resume_slice answers SUSPENDED when the time slice of the whole script ended inside: then this
-- level goes to sleep as well, and continues the inner one when it wakes.
local function settled(thread, ok, ...)
  if ok ~= SUSPENDED then return ok, ... end
  yield_to_host()
  return settled(thread, resume_slice(thread))
end

local function resume(thread, ...)
  local state = status(thread)
  if state ~= 'suspended' then return false, 'cannot resume ' .. state .. ' coroutine' end
  return settled(thread, resume_slice(thread, ...))
end

function exports.resume(thread, ...)
  if type(thread) ~= 'thread' then error("bad argument #1 to 'resume' (coroutine expected)", 2) end
  return resume(thread, ...)
end

local function unwrapped(ok, ...)
  if ok then return ... end
  error((...), 2)
end

function exports.wrap(body)
  if type(body) ~= 'function' then error("bad argument #1 to 'wrap' (Lua function expected)", 2) end
  local thread = create(body)
  return function(...) return unwrapped(resume(thread, ...)) end
end

function exports.command(start, finish)
  return function(...)
    local reply = start(...)
    while reply == SUSPENDED do
      yield_to_host()
      reply = finish()
    end
    return reply
  end
end

-- gsub whose replacement is a function or a table (whose __index may be one).
local function replaced(repl, whole, first, ...)
  local value
  if type(repl) == 'function' then
    if first == nil then value = repl(whole) else value = repl(first, ...) end
  elseif first == nil then
    value = repl[whole]
  else
    value = repl[first]
  end
  if not value then return whole end
  local kind = type(value)
  if kind == 'number' then return tostring(value) end
  if kind ~= 'string' then error('invalid replacement value (a ' .. kind .. ')', 4) end
  return value
end

-- One match: appends what is before it and what replaces it; returns where the next one may begin.
local function gsub_step(out, text, position, repl, from, to, ...)
  if not from then return nil end
  local n = #out
  out[n + 1] = sub(text, position, from - 1)
  out[n + 2] = replaced(repl, sub(text, from, to), ...)
  if to >= from then return to + 1 end
  out[n + 3] = sub(text, from, from)
  return from + 1
end

function exports.gsub(...)
  local text, pattern, repl, count_max = ...
  local kind = type(repl)
  if kind ~= 'function' and kind ~= 'table' then return gsub(...) end
  gsub(text, pattern, '', 0)  -- the argument checks
  text, pattern = tostring(text), tostring(pattern)
  local limit = native.gsub_limit(count_max, #text + 1)
  local out, count, position = {}, 0, 1
  local anchored = byte(pattern) == 94
  while count < limit do
    local after = gsub_step(out, text, position, repl, find(text, pattern, position))
    if not after then break end
    count = count + 1
    position = after
    if anchored or position > #text + 1 then break end
  end
  out[#out + 1] = sub(text, position)
  return concat(out), count
end

function exports.foreach(t, body)
  if type(t) ~= 'table' or type(body) ~= 'function' then return native.foreach(t, body) end
  for key, value in pairs(t) do
    local result = body(key, value)
    if result ~= nil then return result end
  end
end

function exports.foreachi(t, body)
  if type(t) ~= 'table' or type(body) ~= 'function' then return native.foreachi(t, body) end
  for i = 1, getn(t) do
    local result = body(i, t[i])
    if result ~= nil then return result end
  end
end

local sort_source = [=[
local error, floor = ...
local function sort(a, low, high, less)
  while low < high do
    if LESS(a[high], a[low]) then a[low], a[high] = a[high], a[low] end
    if high - low == 1 then return end
    local i = floor((low + high) / 2)
    if LESS(a[i], a[low]) then
      a[i], a[low] = a[low], a[i]
    elseif LESS(a[high], a[i]) then
      a[i], a[high] = a[high], a[i]
    end
    if high - low == 2 then return end
    local pivot = a[i]
    a[i], a[high - 1] = a[high - 1], pivot
    i = low
    local j = high - 1
    while true do
      i = i + 1
      while LESS(a[i], pivot) do
        if i > high then error('invalid order function for sorting', 0) end
        i = i + 1
      end
      j = j - 1
      while LESS(pivot, a[j]) do
        if j < low then error('invalid order function for sorting', 0) end
        j = j - 1
      end
      if j < i then break end
      a[i], a[j] = a[j], a[i]
    end
    a[high - 1], a[i] = a[i], a[high - 1]
    if i - low < high - i then
      sort(a, low, i - 1, less)
      low = i + 1
    else
      sort(a, i + 1, high, less)
      high = i - 1
    end
  end
end
return sort
]=]
local function compiled(source)
  return native.load_any(native.dump(native.load_any(source), true), '=prelude')(error, floor)
end
local by_order = compiled((gsub(sort_source, 'LESS%((.-), (.-)%)', '%1 < %2')))
local by_function = compiled((gsub(sort_source, 'LESS', 'less')))

function exports.sort(...)
  local t, less = ...
  if type(t) ~= 'table' or (less ~= nil and type(less) ~= 'function') then return native.sort(...) end
  if less == nil then return by_order(t, 1, getn(t)) end
  return by_function(t, 1, getn(t), less)
end

-- Whether a function and those in it only read globals, and take from the tables of libraries nothing but fields, at once:
-- then nothing of what it sees can be changed through it, and it may see the libraries without their fronts.
local funcbc, funck, band, rshift = native.funcbc, native.funck, native.band, native.rshift
local LIBRARY = {redis = true, server = true, cjson = true, cmsgpack = true, struct = true, string = true, table = true,
                 math = true, bit = true, coroutine = true, os = true}
local SEES_GLOBALS = {_G = true, load = true, loadstring = true}

local function operation(source, place)
  return band(funcbc(native.load_any(source), place), 255)
end
local GSET, GGET, TGETS = operation('x = 1', 2), operation('return x.y', 1), operation('return x.y', 2)

local function takes_field(f, place, register)
  local next_one = funcbc(f, place) or 0
  return band(next_one, 255) == TGETS and band(rshift(next_one, 8), 255) == register and
         rshift(next_one, 24) == register
end

local function is_plain(f)
  local place = 1
  while true do
    local one = funcbc(f, place)
    if not one then break end
    local op = band(one, 255)
    if op == GSET then return false end
    if op == GGET then
      local name = funck(f, -1 - rshift(one, 16))
      if SEES_GLOBALS[name] then return false end
      if LIBRARY[name] and not takes_field(f, place + 1, band(rshift(one, 8), 255)) then return false end
    end
    place = place + 1
  end
  place = -1
  while true do
    local constant = funck(f, place)
    if constant == nil then return true end
    if type(constant) == 'proto' and not is_plain(constant) then return false end
    place = place - 1
  end
end
exports.is_plain = is_plain

return exports
)lua";

}  // namespace synap
