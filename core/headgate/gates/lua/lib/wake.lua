-- Needs: start, policy (Q).
-- Q..wait  ZSET  instances by arrival (ms) that a place of this queue, or of one of its keys, would help
-- A place is free: wake the first pod that waits for one and still lives.
local function wake_one()
  for _ = 1, 8 do
    local who = call('ZPOPMIN', Q .. 'wait')[1]
    if not who then return end
    if (tonumber(call('HGET', H .. 'inst:' .. who, 'at')) or 0) > now - 15000 then
      call('PUBLISH', H .. 'wake:' .. who, queue)
      return
    end
  end
end
