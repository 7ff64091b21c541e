-- Keeps a place of a request in flight for another lease. In quarantine also one that the store does not know (any more);
-- otherwise a missing place is one whose request ended meanwhile. Needs: start, exist ('XX' outside of quarantine)
local function keep_member(key, member)
  if exist then call('ZADD', key, exist, now + 20000, member) else call('ZADD', key, now + 20000, member) end
end

local function keep(key, member)
  keep_member(key, member)
  call('ZREMRANGEBYSCORE', key, '-inf', now - 40000) -- the rest may come back: a store that stood still lets all lapse
  call('PEXPIRE', key, 60000)
end

-- A budget that is gone stays gone. Workers that share it drop lapsed places too, but it may be shared by requests alone.
local shared = {}
local function keep_share(request, weight, name)
  local key = H .. 'b:' .. name
  if call('EXISTS', key) == 0 then return end
  shared[key] = true
  for k = 1, tonumber(weight) do
    local member = 'h:' .. request .. (weight == '1' and '' or '#' .. k)
    keep_member(key .. ':held', member)
    keep_member(key .. ':http', member)
  end
end

local function drop_lapsed()
  for key in pairs(shared) do
    call('ZREMRANGEBYSCORE', key .. ':held', '-inf', now - 40000)
    call('ZREMRANGEBYSCORE', key .. ':http', '-inf', now - 40000)
  end
end
