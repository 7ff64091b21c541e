#!lua flags=allow-oom
-- End one execution. What runs must be able to finish above maxmemory.
-- KEYS[1], ARGV[1-3]: lib/start.lua
-- ARGV[4]  string  queue
-- ARGV[5]  string  slot, RQ's worker name
-- ARGV[6-8]        not used here (claim)
-- ARGV[9]  string  job id
-- ARGV[10] string  execution id
-- ARGV[11..]       lib/finish.lua
-- Answers {epoch, seq, now, finished}
-- include: start
local queue, slot, ended, ended_execution = ARGV[4], ARGV[5], ARGV[9], ARGV[10]
local fused, done, leaving = false, '', nil
-- include: policy
-- include: budget
-- include: wake
-- include: places
-- include: rq_back
-- include: lose
-- include: readd
local ended_key = P .. ':job:' .. ended
local exist = call('EXISTS', P .. ':suspended', ended_key .. ':dependents', P .. ':job::' .. ended .. ':dependencies', ended_key)
-- include: finish
if fenced and finished ~= 'slow' then
  if call('HSET', H .. 'slot:' .. slot, 'done', done) > 0 then call('PEXPIRE', H .. 'slot:' .. slot, 60000) end
  -- include: freed
end
return { epoch, seq, now, finished }
