#!lua flags=allow-oom
-- A supervisor's beat: renews leases and RQ's heartbeats, says what the pod has in use, puts back what lapsed.
-- KEYS[1], ARGV[1-3]: lib/start.lua
-- ARGV[4]  string  queue
-- ARGV[5]  string  instance
-- ARGV[6]  string  pod
-- ARGV[7]  integer revision in use
-- ARGV[8]  integer n slots (0: the pod says goodbye), then n times: slot, successes, working seconds (both only grow)
-- then     integer m holdings, then m times: slot, job, execution, k, k places
-- then     1: the pod starts nothing for want of memory, 0
-- Answers {epoch, seq, now, {kept, gone or readded per holding}, revision, wake, quarantine until, reaped, unregistered slots}
-- include: start
local queue, instance, slots = ARGV[4], ARGV[5], tonumber(ARGV[8])
-- include: policy
-- include: budget
-- include: wake
-- include: places
-- include: rq_back
-- include: lose
-- include: readd
-- include: hold_places
-- include: reap
-- include: iso
-- include: beats
call('HSET', KEYS[1], 'clock', now)
local unregistered, kept, reaped, at = {}, {}, {}, 9
for _ = 1, slots do
  if not beat_worker(ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])) then unregistered[#unregistered + 1] = ARGV[at] end
  at = at + 3
end
local busy = tonumber(ARGV[at])
at = at + 1
for i = 1, busy do
  local k = tonumber(ARGV[at + 3])
  kept[i] = beat_holding(ARGV[at], ARGV[at + 1], ARGV[at + 2], { unpack(ARGV, at + 4, at + 3 + k) })
  at = at + 4 + k
end
beat_instance(busy, ARGV[at])
if quarantine <= now then reap_queue(20, true, reaped) end
if not declared then
  -- include: drained
end
local wake = busy < slots and declared and hold == 0 and quarantine <= now and sleep <= us
  and call('EXISTS', P .. ':suspended') == 0 and call('LLEN', P .. ':queue:' .. queue) > 0
  and (total == 0 or call('ZCOUNT', Q .. 'held', alive, '+inf') < total)
return { epoch, seq, now, kept, revision, wake and 1 or 0, quarantine > now and quarantine or 0, reaped, unregistered }
