-- Budgets: gates shared by queues. Concurrency places go to waiters first come, first served, across queues.
-- Needs: start.
-- b:<name>          HASH  gates (packed total, httpReserved, limit, period us), doc, revision, sleep (us), waiting and promised:
--                         until when (ms) somebody may wait for a place or an opening
-- b:<name>:held     ZSET  e:<execution>[#k] or wake:<instance>:<queue>#k (a carried place) by lease end (ms); weight w = w members
-- b:<name>:http     ZSET  the HTTP holders again, counted only against `reserved`
-- b:<name>:wait     ZSET  "<instance> <queue> <weight>" by arrival (ms)
-- The budget as it stands, nil when it is not published. free: places for jobs (infinite without a total).
local function budget_of(name)
  local key = H .. 'b:' .. name
  local read = call('HMGET', key, 'gates', 'sleep', 'waiting', 'promised')
  if not read[1] then return nil end
  local places, reserved, limit, period = struct.unpack('<dddd', read[1])
  local used, free = 0, math.huge
  if places > 0 then
    used = call('ZCOUNT', key .. ':held', alive, '+inf')
    if reserved > 0 then reserved = math.max(0, reserved - call('ZCOUNT', key .. ':http', alive, '+inf')) end
    free = places - reserved - used
  end
  return { key = key, name = name, limit = limit, period = period, used = used, free = free, total = places, weight = 1,
    sleep = tonumber(read[2] or 0), waiting = tonumber(read[3] or 0), promised = tonumber(read[4] or 0) }
end

-- Give what is free to those who wait, oldest first: each is woken and its place kept for 500 ms. Stops at `me`.
-- True: somebody who came before `me` still waits.
local function hand_over(b, me)
  for _ = 1, 8 do
    local head = call('ZRANGE', b.key .. ':wait', 0, 0)[1]
    if not head then
      call('HSET', b.key, 'waiting', now + 500)
      return false
    elseif head == me then
      return false
    end
    local who, where, weight = string.match(head, '^(%S+) (%S+) (%d+)$')
    if (tonumber(call('HGET', H .. 'inst:' .. who, 'at')) or 0) <= now - 15000 then
      call('ZREM', b.key .. ':wait', head)
    elseif b.free < tonumber(weight) then
      return true
    else
      call('ZREM', b.key .. ':wait', head)
      for k = 1, tonumber(weight) do call('ZADD', b.key .. ':held', now + 500, 'wake:' .. who .. ':' .. where .. '#' .. k) end
      b.free, b.used = b.free - tonumber(weight), b.used + tonumber(weight)
      call('PUBLISH', H .. 'wake:' .. who, where)
    end
  end
  return true
end
