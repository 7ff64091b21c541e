#!lua
-- Ask for one job. No allow-oom: above maxmemory it is refused before its first write.
-- KEYS[1], ARGV[1-3]: lib/start.lua
-- ARGV[4]  string  queue
-- ARGV[5]  string  slot, RQ's worker name
-- ARGV[6]  string  instance
-- ARGV[7]  string  nonce: the same claim sent twice is granted once
-- ARGV[8]  string  execution id that a grant gets
-- ARGV[9..] pairs  job id, '=<key>' or '-' (no key), as read from `meta`
-- Answers {epoch, seq, now, answer}, answer as in lib/claim.lua
-- include: start
local queue, slot, instance, nonce, execution = ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local fused, given, done, key_freed, leaving, brief = false, {}, '', false, nil, false
for i = 9, #ARGV, 2 do given[ARGV[i]] = ARGV[i + 1] end
-- include: policy
local answer, granted = nil, false
-- include: answered
if not answer then
  local suspended = call('EXISTS', P .. ':suspended') == 1
  -- include: budget
  -- include: rate
  -- include: wake
  -- include: claim
end
return { epoch, seq, now, answer }
