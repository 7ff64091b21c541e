-- Needs: publish, pack, budget. Those who wait are given what the new limit frees.
local limit, period = rate(document.rate)
call('HSET', key, 'gates', struct.pack('<dddd', number(document.total), number(document.http_reserved), limit, period),
  'revision', revision, 'doc', ARGV[6])
local b = budget_of(queue)
for _ = 1, 32 do
  if now >= b.waiting or hand_over(b) then break end
end
for _, waiter in ipairs(call('ZRANGE', key .. ':rwait', 0, -1)) do
  call('PUBLISH', H .. 'wake:' .. string.match(waiter, '^%S+'), string.match(waiter, '^%S+ (%S+)'))
end
call('DEL', key .. ':rwait')
