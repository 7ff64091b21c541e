#!lua flags=allow-oom
-- Other limits for a queue until a moment of the store's clock, or no longer (ms 0). In force for the next start.
-- KEYS[1], ARGV[1-3]: lib/start.lua
-- ARGV[4]  string  queue
-- ARGV[5]  integer for so many milliseconds from now; 0 clears
-- ARGV[6]  JSON    reason, by, and what it changes: stop_policy, total, rate_total {limit, period_ms}
-- Answers {epoch, seq, now, ms of its end} or {.., 0} when no policy is published; clearing: {.., 1 there was one or 0}
-- include: start
local queue, ms = ARGV[4], tonumber(ARGV[5])
local key, Q = H .. 'policy:' .. queue, H .. 'q:' .. queue .. ':'
local done = 0
if ms == 0 then
  done = call('HDEL', key, 'over', 'over_doc') > 0 and 1 or 0
elseif call('HEXISTS', key, 'gates') == 1 then
  local override = cjson.decode(ARGV[6])
  -- include: pack
  local limit, period = rate(override.rate_total)
  done = now + ms
  override.expire_ms, override.since = done, now
  call('HSET', key, 'over_doc', cjson.encode(override), 'over', struct.pack('<ddddd', done,
    HOLDS[override.stop_policy] or -1, number(override.total), limit, period))
end
if done > 0 then
  -- include: wake_all
end
return { epoch, seq, now, done }
