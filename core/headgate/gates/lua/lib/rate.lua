-- Rate gates: the exact ring. A LIST of start times (us), newest first. A negative last entry: starts at or before that
-- time were forgotten, so the gate counts as full up to then (a raised limit or a longer period never over-admits).
-- Needs: start.
-- When do `n` more starts fit into every window of `period` us? 0: now, else the time (us). More than `limit`: as many
-- periods later as it takes.
local function opens(key, limit, period, n)
  local later = 0
  if n > limit then
    later = math.floor((n - 1) / limit)
    n = n - later * limit
  end
  local at = call('LINDEX', key, limit - n)
  if not at then
    at = call('LINDEX', key, -1)
    at = at and string.byte(at) == 45 and at or 0
  end
  at = tonumber(at)
  if at < 0 then at = -at end
  if at > us + 30000000 then at = 0 end -- from a clock that was set back: full_at stands for it
  if at < full_at then at = full_at end
  at = at + period
  if later > 0 then return (at > us and at or us) + later * period end
  if at > us then return at end
  return 0
end

-- The same for one who wants `n` starts after `ahead` that are promised to others: whoever does not come is forgotten
-- after 500 ms, so look again then.
local function opens_after(key, limit, period, n, ahead)
  local at = opens(key, limit, period, n)
  if ahead == 0 then return at end
  local after = opens(key, limit, period, n + ahead)
  if at == 0 and after > 0 then return us + 500000 end
  return after
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
