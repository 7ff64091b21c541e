-- Reads for inspect. Needs: clock, rate (opens).
-- A ring as a gate: {limit, period (ms), starts inside the window, open_at (ms) or 0, waiting}
local function look_at_ring(key, limit, period, waiting)
  local low, high = 0, math.min(limit, call('LLEN', key))
  while low < high do -- newest first: the first entry that left the window
    local middle = math.floor((low + high) / 2)
    local at = tonumber(call('LINDEX', key, middle))
    if at > us - period and at <= us + 30000000 then low = middle + 1 else high = middle end
  end
  return { limit, period / 1000, low, math.ceil(opens(key, limit, period, 1) / 1000), waiting }
end

-- Holders as {member, lease end, ...}; the lapsed ones too: they wait for reap.
local function look_at_holders(key)
  return call('ZRANGE', key, 0, 999, 'WITHSCORES')
end

local function look_at_budget(name)
  local key = H .. 'b:' .. name
  local read = call('HMGET', key, 'gates', 'sleep')
  if not read[1] then return nil end
  local places, reserved, limit, period = struct.unpack('<dddd', read[1])
  local seen = { sleep = math.ceil((tonumber(read[2]) or 0) / 1000), total = places,
    used = call('ZCOUNT', key .. ':held', alive, '+inf'), holders = look_at_holders(key .. ':held'),
    waiting = call('ZCARD', key .. ':wait') }
  if reserved > 0 then seen.reserved = math.max(0, reserved - call('ZCOUNT', key .. ':http', alive, '+inf')) end
  if limit > 0 then
    seen.rate = look_at_ring(key .. ':starts', limit, period, call('ZCARD', key .. ':rwait'))
  end
  return seen
end
