-- Keep what an execution holds beside its queue's place until `lease_end` (ms). A budget that is gone stays gone.
-- Needs: start, policy (Q)
local function hold_places(member, execution_id, places, lease_end)
  for i = 1, #places do
    local place = places[i]
    if string.byte(place) == 98 then
      local weight, name = string.match(place, '^b(%d+):(.+)$')
      local budget = H .. 'b:' .. name
      if call('EXISTS', budget) == 1 then
        if weight == '1' then
          call('ZADD', budget .. ':held', 'GT', lease_end, 'e:' .. execution_id)
        else
          for k = 1, tonumber(weight) do call('ZADD', budget .. ':held', 'GT', lease_end, 'e:' .. execution_id .. '#' .. k) end
        end
      end
    else
      call('ZADD', Q .. 'key:held:' .. string.sub(place, 2), 'GT', lease_end, member)
      call('HSET', Q .. 'keys', member, string.sub(place, 2))
    end
  end
end
