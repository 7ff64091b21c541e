-- One periodic task as it stands. Needs: start, ARGV[4] the task. Sets: T, s (its run, {} when none), runs (is its lease
-- live?), and the functions below. H:t:<task> is the document, :run the state, :ticks those of the schedule that are settled.
local T = H .. 't:' .. ARGV[4]
local s, flat = {}, call('HGETALL', T .. ':run')
for i = 1, #flat, 2 do s[flat[i]] = flat[i + 1] end
local runs = s.run and tonumber(s.lease_end) > now
-- Does this run hold it? After data was lost a run's own word counts, unless a later one is known: fences grow.
local function holds(run, fence)
  if s.run == run and s.fence == fence then return true end
  local known = math.max(tonumber(s.fence or 0), tonumber(s.last_fence or 0))
  if quarantine <= now or tonumber(fence) <= known then return false end
  s.run, s.fence, s.since = run, fence, now
  call('HSET', T .. ':run', 'run', run, 'fence', fence, 'pod', '', 'tick', '', 'since', now, 'lease_end', now + 20000)
  return true
end
local function stays()
  if call('EXISTS', T) == 1 then call('PERSIST', T .. ':run') else call('PEXPIRE', T .. ':run', 20000) end
end
-- The run is over; what it held is free.
local function over(outcome, at)
  call('HDEL', T .. ':run', 'run', 'fence', 'pod', 'tick', 'since', 'lease_end')
  call('HSET', T .. ':run', 'last_run', s.run, 'last_fence', s.fence, 'last_started', s.since, 'last_ended', at,
    'last_outcome', outcome)
  if outcome == 'ok' then call('HSET', T .. ':run', 'last_success', at) end
  s.last_run, s.last_ended, s.last_outcome, s.run, runs = s.run, at, outcome, nil, false
  stays()
end
local function settle(tick, letter)
  call('ZADD', T .. ':ticks', tick, letter .. tick)
  call('ZREMRANGEBYRANK', T .. ':ticks', 0, -129)
end
-- A tick that did not run counts once; of those older than the oldest of 128 known ones nothing is known any more.
local function skip(tick)
  if call('ZSCORE', T .. ':ticks', 'r' .. tick) or call('ZSCORE', T .. ':ticks', 's' .. tick) then return 0 end
  local oldest = call('ZCARD', T .. ':ticks') == 128 and call('ZRANGE', T .. ':ticks', 0, 0, 'WITHSCORES')
  if oldest and tonumber(tick) < tonumber(oldest[2]) then return 0 end
  settle(tick, 's')
  call('HINCRBY', T .. ':run', 'skipped', 1)
  call('HINCRBY', T .. ':run', 'in_a_row', 1)
  if tonumber(tick) > tonumber(s.last_skip or 0) then
    s.last_skip = tick
    call('HSET', T .. ':run', 'last_skip', tick)
  end
  return 1
end
