-- Give back what an execution holds beside its queue's place. Needs: start, policy (Q), budget.
-- places: list of b<weight>:<budget> and k<key>. Sets: freed (budget names that may have waiters), key_freed (boolean)
local freed, key_freed = {}, false
local function give_back(member, execution_id, places)
  for i = 1, #places do
    local place = places[i]
    if string.sub(place, 1, 3) == 'b1:' then
      local name = string.sub(place, 4)
      call('ZREM', H .. 'b:' .. name .. ':held', 'e:' .. execution_id)
      freed[#freed + 1] = name
    elseif string.byte(place) == 98 then
      local weight, name = string.match(place, '^b(%d+):(.+)$')
      for k = 1, tonumber(weight) do call('ZREM', H .. 'b:' .. name .. ':held', 'e:' .. execution_id .. '#' .. k) end
      freed[#freed + 1] = name
    else
      local key = '=' .. string.sub(place, 2)
      call('HDEL', Q .. 'keys', member)
      call('ZREM', Q .. 'key:held:' .. string.sub(place, 2), member)
      if call('ZREM', Q .. 'shut', key) == 1 then
        key_freed = true
        if call('EXISTS', Q .. 'lane:' .. key) == 1 then
          call('ZADD', Q .. 'open', call('HGET', Q .. 'mark', 'turn') or 0, key)
        end
      end
    end
  end
end
