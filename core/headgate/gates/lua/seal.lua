#!lua flags=allow-oom
-- Protect an execution for 60 s while RQ's own code ends it.
-- KEYS[1], ARGV[1-3]: lib/start.lua
-- ARGV[4]  string  queue
-- ARGV[5]  string  slot
-- ARGV[6]  string  job id
-- ARGV[7]  string  execution id
-- ARGV[8..] places  as a grant gave them
-- Answers {epoch, seq, now, 1 sealed or 0 the lease was lost}
-- include: start
local queue = ARGV[4]
-- include: policy
-- include: readd
-- include: hold_places
local member, sealed = ARGV[6] .. ':' .. ARGV[7], 1
if not call('ZSCORE', Q .. 'held', member) then
  sealed = quarantine > now and readd(ARGV[6], ARGV[7], ARGV[5]) and 1 or 0
end
if sealed == 1 then
  call('ZADD', Q .. 'held', 'XX', 'GT', now + 60000, member)
  hold_places(member, ARGV[7], { unpack(ARGV, 8) }, now + 60000)
end
return { epoch, seq, now, sealed }
