#!lua
-- May this run of a periodic task start? Then it holds the lease, and no other run starts.
-- KEYS[1], ARGV[1-3]: lib/start.lua
-- ARGV[4]  string  task
-- ARGV[5]  string  run     ARGV[6]  string  pod: the same run in another pod is another attempt
-- ARGV[7]  integer tick (ms), '' when somebody started it by hand
-- Answers {epoch, seq, now, 'begun', fence, revision, document} {.., 'running', run, pod, since} {.., 'passed', tick}
--         {.., 'none'} {.., 'held', until ms, 0: a person must}
-- include: start
-- include: task
local run, pod, tick = ARGV[5], ARGV[6], ARGV[7]
local stored = call('HMGET', T, 'revision', 'doc')
if not stored[2] then return { epoch, seq, now, 'none' } end
if runs and s.run == run and s.pod == pod then
  return { epoch, seq, now, 'begun', tonumber(s.fence), tonumber(stored[1]), stored[2] }
end
if quarantine > now then return { epoch, seq, now, 'held', quarantine } end
local document = cjson.decode(stored[2])
if document.stop_policy == 'Hold' then return { epoch, seq, now, 'held', 0 } end
if runs then
  -- Another attempt of the run whose lease is live: its tick is that run's own.
  if tick ~= '' and s.run ~= run then skip(tick) end
  return { epoch, seq, now, 'running', s.run, s.pod, tonumber(s.since) }
end
if s.run then over('lost', tonumber(s.lease_end)) end
local again = s.last_run == run and s.last_outcome ~= 'ok'
if tick ~= '' and not again then
  local late = document.on_overlap == 'Skip' and tonumber(tick) < tonumber(s.last_ended or 0)
  if late or call('ZSCORE', T .. ':ticks', 'r' .. tick) or tonumber(tick) <= tonumber(s.last_tick or 0) then
    skip(tick)
    return { epoch, seq, now, 'passed', tonumber(tick) }
  end
end
seq = call('HINCRBY', KEYS[1], 'seq', 1)
if tick ~= '' then
  if call('ZREM', T .. ':ticks', 's' .. tick) == 1 then call('HINCRBY', T .. ':run', 'skipped', -1) end
  settle(tick, 'r')
  call('HSET', T .. ':run', 'last_tick', math.max(tonumber(tick), tonumber(s.last_tick or 0)))
end
local cycles = tonumber(s.in_a_row or 0) > 0 and tonumber(s.cycles or 0) + 1 or 0
call('HSET', T .. ':run', 'run', run, 'fence', seq, 'pod', pod, 'tick', tick, 'since', now, 'lease_end', now + 20000,
  'in_a_row', 0, 'cycles', again and (s.cycles or 0) or cycles)
return { epoch, seq, now, 'begun', seq, tonumber(stored[1]), stored[2] }
