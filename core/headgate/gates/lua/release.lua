#!lua flags=allow-oom
-- Give the places back: RQ's own code ended the execution.
-- KEYS[1], ARGV[1-3]: lib/start.lua
-- ARGV[4]  string  queue
-- ARGV[5]  string  slot; '' releases the reaper's mark of a lost execution
-- ARGV[6]  string  job id
-- ARGV[7]  string  execution id
-- ARGV[8..] places  as a grant gave them
-- Answers {epoch, seq, now, 1 released or 0 there was nothing}
-- include: start
local queue, slot = ARGV[4], ARGV[5]
-- include: policy
-- include: budget
-- include: wake
-- include: places
local member = ARGV[6] .. ':' .. ARGV[7]
local released = call('ZREM', Q .. 'held', slot == '' and member .. '!' or member)
give_back(member, ARGV[7], { unpack(ARGV, 8) })
if released == 1 then
  -- include: freed
end
return { epoch, seq, now, released }
