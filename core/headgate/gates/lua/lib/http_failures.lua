-- What becomes of the start that a Failures rule reserved: forgotten when the request did not fail, confirmed when it did.
-- A rule whose window is full of confirmed failures bans the identity: 15 minutes, then an hour, then a day; a ban is
-- remembered for a day after its end. Needs: start.
local BANS = { 900000, 3600000, 86400000 }

local function ban(where, text)
  local surface, name = string.match(where, '^([^/]+)/([^/]+)/')
  local packed = call('HGET', H .. 'http:' .. surface, 'n:' .. name)
  if not packed then return end
  local limit, period, _, _, _, kind = struct.unpack('<dddddd', packed)
  local confirmed = 0
  for i = 1, #text, 8 do
    local at = struct.unpack('<d', text, i)
    if at % 1 > 0 and at > us - period and at <= us + 30000000 then confirmed = confirmed + 1 end
  end
  if kind ~= 4 or confirmed < limit then return end
  local key = H .. 'h:' .. where .. ':ban'
  local ends, strikes = string.match(call('GET', key) or '0 0', '^(%d+) (%d+)$')
  if tonumber(ends) > now then return end
  local lasts = BANS[math.min(strikes + 1, 3)]
  call('SET', key, string.format('%.0f %d', now + lasts, strikes + 1), 'PX', lasts + 86400000)
end

-- 1: the start was forgotten.
local function settle_start(where, stamp, failed)
  local key = H .. 'h:' .. where .. ':failed'
  local text, first, last = call('GET', key) or '', nil, nil
  for i = 1, #text, 8 do
    if struct.unpack('<d', text, i) == stamp then first, last = first or i, i + 7 end
  end
  if not first then return 0 end
  local confirmed = failed and string.rep(struct.pack('<d', stamp - 0.5), (last + 1 - first) / 8) or ''
  text = string.sub(text, 1, first - 1) .. confirmed .. string.sub(text, last + 1)
  if text == '' then call('DEL', key) else call('SET', key, text, 'KEEPTTL') end
  if failed then ban(where, text) end
  return failed and 0 or 1
end
