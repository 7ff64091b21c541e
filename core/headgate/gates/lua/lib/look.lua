-- Reads for inspect. Needs: clock, rate (opens).
-- A ring as a gate: {limit, period (ms), starts inside the window, open_at (ms) or 0, waiting}
local function look_at_ring(key, limit, period, waiting)
  local low, high = 0, math.min(limit, call('LLEN', key))
  while low < high do -- newest first: the first entry that left the window
    local middle = math.floor((low + high) / 2)
    local at = tonumber(call('LINDEX', key, middle))
    if at > us - period and at <= us + 20000000 then low = middle + 1 else high = middle end
  end
  return { limit, period / 1000, low, math.ceil(opens(key, limit, period, 1) / 1000), waiting }
end

-- Holders as {member, lease end, ...}; the lapsed ones too: they wait for reap.
local function look_at_holders(key)
  return call('ZRANGE', key, 0, 999, 'WITHSCORES')
end

local function look_at_budget(name)
  local key = H .. 'b:' .. name
  local read = call('HMGET', key, 'total', 'limit', 'period', 'sleep', 'reserved')
  if not read[1] then return nil end
  local seen = { sleep = math.ceil((tonumber(read[4]) or 0) / 1000), total = tonumber(read[1]), reserved = tonumber(read[5]),
    used = call('ZCOUNT', key .. ':held', '(' .. now, '+inf'), holders = look_at_holders(key .. ':held'),
    waiting = call('ZCARD', key .. ':wait') }
  if tonumber(read[2]) > 0 then
    seen.rate = look_at_ring(key .. ':starts', tonumber(read[2]), tonumber(read[3]), call('ZCARD', key .. ':rwait'))
  end
  return seen
end
