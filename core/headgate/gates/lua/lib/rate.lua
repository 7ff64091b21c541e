-- Rate gates: the exact ring. A LIST of start times (us), newest first. A negative last entry: starts at or before that
-- time were forgotten, so the gate counts as full up to then (a raised limit or a longer period never over-admits).
-- Needs: start.
-- When do `n` more starts fit into every window of `period` us? 0: now, else the time (us).
local function opens(key, limit, period, n)
  local at = call('LINDEX', key, limit > n and limit - n or 0)
  if not at then
    at = call('LINDEX', key, -1)
    at = at and string.byte(at) == 45 and at or 0
  end
  at = tonumber(at)
  if at < 0 then at = -at end
  if at > us + 20000000 then at = 0 end -- from a clock that was set back: full_at stands for it
  if at < full_at then at = full_at end
  at = at + period
  if at > us or n > limit then return at end
  return 0
end

-- Record `n` starts now.
local function record(key, limit, n)
  local length = call('LPUSH', key, us_text)
  for _ = 2, n do length = call('LPUSH', key, us_text) end
  if length > limit + 64 then
    local oldest = call('LINDEX', key, limit)
    call('LTRIM', key, 0, limit)
    call('LSET', key, -1, string.byte(oldest) == 45 and oldest or '-' .. oldest)
  end
  return length
end
