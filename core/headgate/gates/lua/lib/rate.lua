-- Rate gates: the exact ring. A LIST of start times (us), newest first. A negative last entry: starts at or before that
-- time were forgotten, so the gate counts as full up to then (a raised limit or a longer period never over-admits).
-- Needs: start.
-- When do `n` more starts fit into every window of `period` us? 0: now, else the time (us).
local function opens(key, limit, period, n)
  local at = call('LINDEX', key, math.max(limit - n, 0))
  if not at then
    at = call('LINDEX', key, -1)
    at = at and string.byte(at) == 45 and at or 0
  end
  at = math.abs(tonumber(at))
  if at > us + 20000000 then at = 0 end -- from a clock that was set back: full_at stands for it
  at = math.max(at, full_at) + period
  if at > us or n > limit then return at end
  return 0
end

-- Record `n` starts now.
local function record(key, limit, n)
  local length = call('LPUSH', key, us)
  for _ = 2, n do length = call('LPUSH', key, us) end
  if length > limit + 64 then
    local oldest = math.abs(tonumber(call('LINDEX', key, limit)))
    call('LTRIM', key, 0, limit)
    call('LSET', key, -1, -oldest)
  end
  return length
end
