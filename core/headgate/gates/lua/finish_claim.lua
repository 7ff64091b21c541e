#!lua
-- The hot path: end one execution and ask for the next job. No allow-oom: above maxmemory the caller calls finish alone.
-- KEYS[1], ARGV[1-3]: lib/start.lua
-- ARGV[4-8]        as claim; [7] '': the execution id is the nonce, and a plain job is told briefly
-- ARGV[9]  string  job id that ends
-- ARGV[10] string  its execution id
-- ARGV[11..]       as finish
-- Answers {epoch, seq, now, finished, answer}, answer as in lib/claim.lua; false after slow: nothing is written then
-- include: start
local queue, slot, instance, nonce, execution = ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local ended, ended_execution = ARGV[9], ARGV[10]
local fused, given, done, leaving, brief = true, {}, '', nil, nonce == ''
if brief then nonce = execution end
-- include: policy
-- include: budget
-- include: rate
-- include: wake
-- include: places
-- include: rq_back
-- include: lose
-- include: readd
local ended_key = P .. ':job:' .. ended
local exist = call('EXISTS', P .. ':suspended', ended_key .. ':dependents', P .. ':job::' .. ended .. ':dependencies', ended_key)
-- include: finish
if finished == 'slow' then return { epoch, seq, now, finished, false } end
local suspended = exist > 1 and call('EXISTS', P .. ':suspended') == 1
local answer, granted = nil, false
if not fenced then
  -- include: answered
end
if not answer then
  -- include: claim
  if not granted and fenced then
    if leaving then call('SREM', P .. ':worker:' .. slot .. ':executions', leaving) end
    if call('HSET', H .. 'slot:' .. slot, 'done', done) > 0 then call('PEXPIRE', H .. 'slot:' .. slot, 60000) end
    -- include: freed
  end
end
return { epoch, seq, now, finished, answer }
