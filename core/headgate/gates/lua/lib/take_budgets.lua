-- Take the places and starts of every budget the gates looked at. Needs: gates. Appends to: places
for i = 1, #budgets do
  local b = budgets[i]
  if b.weight == 1 then
    call('ZADD', b.key .. ':held', lease, 'e:' .. execution)
  else
    for k = 1, b.weight do call('ZADD', b.key .. ':held', lease, 'e:' .. execution .. '#' .. k) end
  end
  places[#places + 1] = b.place
  if b.limit > 0 then record(b.key .. ':starts', b.limit, b.weight) end
  if b.queued then
    local me = instance .. ' ' .. queue .. ' ' .. b.weight
    if b.carried then
      for k = 1, b.weight do call('ZREM', b.key .. ':held', 'wake:' .. instance .. ':' .. queue .. '#' .. k) end
    end
    call('ZREM', b.key .. ':wait', me)
    call('ZREM', b.key .. ':rwait', me)
    b.free = b.carried and b.free or b.free - b.weight
    hand_over(b)
  end
end
