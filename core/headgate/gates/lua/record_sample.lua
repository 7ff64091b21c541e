#!lua
-- A process says once a minute what it uses, and as its last word that it ends. Kept for 48 hours, packed.
-- KEYS[1], ARGV[1-3]: lib/start.lua
-- ARGV[4]  string  instance
-- ARGV[5]  string  kind: worker, api
-- ARGV[6]  string  pod        ARGV[7]  string  host        ARGV[8]  string  subject: its queue or surfaces
-- ARGV[9]  integer ms since it started
-- ARGV[10] integer hundredths of a processor that it may use
-- ARGV[11] integer memory, MiB; 0: nothing was measured
-- ARGV[12] integer processor time since its last sample, thousandths of one processor
-- ARGV[13] integer 1: goodbye
-- ARGV[14..] n times: series of requests, how many, p50 ms, p99 ms
-- Answers {epoch, seq, now}
-- include: start
local index, own = H .. 'samples', H .. 'sample:' .. ARGV[4]
local keep_ms, minute = 172800000, math.floor(now / 60000) % 65536
local function short(number) return math.min(math.max(tonumber(number), 0), 65535) end
-- Appends to a ring of fixed-width records, 48 hours of them.
local function append(field, record)
  local ring = (call('HGET', own, field) or '') .. record
  call('HSET', own, field, string.sub(ring, -#record * 2880))
end
local started = call('HGET', own, 'started') or string.format('%.0f', now - tonumber(ARGV[9]))
call('HSET', own, 'kind', ARGV[5], 'pod', ARGV[6], 'host', ARGV[7], 'subject', ARGV[8], 'started', started,
  'cpus', ARGV[10], 'at', now, 'ended', ARGV[13] == '1' and now or 0)
if ARGV[11] ~= '0' then append('use', struct.pack('>I2I2I2', minute, short(ARGV[11]), short(ARGV[12]))) end
for at = 14, math.min(#ARGV, 13 + 4 * 16), 4 do
  local several = math.min(tonumber(ARGV[at + 1]), 4294967295)
  append('for:' .. ARGV[at], struct.pack('>I2I4I2I2', minute, several, short(ARGV[at + 2]), short(ARGV[at + 3])))
end
call('PEXPIRE', own, keep_ms)
call('ZADD', index, now, ARGV[4])
call('PEXPIRE', index, keep_ms)
call('ZREMRANGEBYSCORE', index, '-inf', now - keep_ms)
for _ = 1001, call('ZCARD', index) do call('DEL', H .. 'sample:' .. call('ZPOPMIN', index)[1]) end
return { epoch, seq, now }
