#!lua flags=allow-oom
-- Put back what lapsed, on every queue.
-- KEYS[1], ARGV[1-3]: lib/start.lua
-- ARGV[4]  integer at most so many executions
-- ARGV[5]  1: the caller can run RQ's failure code, so lost jobs that are not put back are handed to it too
-- Answers {epoch, seq, now, {queue, job, execution, fate, losses, ...}}
-- include: start
-- include: budget
local left, reaped, names = tonumber(ARGV[4]), {}, call('SMEMBERS', H .. 'draining')
for _, name in ipairs(call('HKEYS', H .. 'owners')) do
  if string.sub(name, 1, 6) == 'queue/' then names[#names + 1] = string.sub(name, 7) end
end
if quarantine > now then names = {} end
for _, queue in ipairs(names) do
  if left > 0 and call('ZCOUNT', H .. 'q:' .. queue .. ':held', '-inf', now) > 0 then
    -- include: policy
    -- include: wake
    -- include: places
    -- include: rq_back
    -- include: lose
    -- include: reap
    left = left - reap_queue(left, ARGV[5] == '1', reaped)
    if not declared then
      -- include: drained
    end
  end
end
return { epoch, seq, now, reaped }
