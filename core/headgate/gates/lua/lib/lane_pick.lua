-- Needs: lanes.
-- Keys whose time has come look again.
local function settle()
  for _, set in ipairs({ 'shut', 'late' }) do
    for _, key in ipairs(call('ZRANGEBYSCORE', Q .. set, '-inf', now, 'LIMIT', 0, 16)) do
      call('ZREM', Q .. set, key)
      if call('EXISTS', Q .. 'lane:' .. key) == 1 then call('ZADD', Q .. 'open', 'NX', turn, key) end
    end
  end
end

-- Is there room for one more job of this key? If not, shut it until a place or an opening can come.
local function has_room(key)
  if key == '-' then return true end
  local name = string.sub(key, 2)
  -- include: key_gates
  if not full and at == 0 then return true end
  call('ZREM', Q .. 'open', key)
  if full then
    local first = call('ZRANGEBYSCORE', Q .. 'key:held:' .. name, alive, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    call('ZADD', Q .. 'shut', first[2], key)
  else
    call('ZADD', Q .. 'late', math.ceil(at / 1000), key)
  end
  return false
end

-- Take `id` out of RQ's list, from the nearer end. False: somebody removed it.
local function take_out(id, at)
  local first = call('HGET', Q .. 'seen', mark[2] or '')
  local from_head = tonumber(at) - (tonumber(string.match(first or '', '^-?%d+')) or 0)
  local near = from_head <= ord - tonumber(at) + llen - n
  if call('LREM', list, near and 1 or -1, id) == 0 then return false end
  llen = llen - 1
  if n > 0 and (id == mark[3] or call('LINDEX', list, n - 1) ~= mark[3]) then n = n - 1 end
  mark[2], mark[3] = call('LINDEX', list, 0) or '', n > 0 and call('LINDEX', list, n - 1) or ''
  return true
end

-- The next job by turns: id, key. Nil: none may start now (then `answer` or `blocker` says why).
local function choose()
  settle()
  for _ = 1, 16 do
    local key = call('ZRANGE', Q .. 'open', 0, 0)[1]
    if not key then break end
    if has_room(key) then
      for _ = 1, 64 do
        local id = call('LPOP', Q .. 'lane:' .. key)
        if not id then break end
        local at = string.match(call('HGET', Q .. 'seen', id) or '0', '^-?%d+')
        local taken = take_out(id, at)
        call('HDEL', Q .. 'seen', id)
        if taken then
          turn = turn + 1
          if call('EXISTS', Q .. 'lane:' .. key) == 1 then
            call('ZADD', Q .. 'open', turn, key)
          else
            call('ZREM', Q .. 'open', key)
          end
          call('HSET', Q .. 'mark', 'n', n, 'first', mark[2], 'last', mark[3], 'turn', turn)
          more = n < llen or call('EXISTS', Q .. 'open') == 1
          return id, key
        end
      end
      if call('EXISTS', Q .. 'lane:' .. key) == 0 then call('ZREM', Q .. 'open', key) end
    end
  end
  -- include: lane_none
  return nil
end
