-- The slot is idle and its places are free: pass them on. Needs: start, policy, budget, wake, places (freed), slot
for i = 1, #freed do
  local b = budget_of(freed[i])
  if b and now < b.waiting then hand_over(b) end
end
wake_one()
if call('EXISTS', P .. ':worker:' .. slot) == 1 then call('HSET', P .. ':worker:' .. slot, 'state', 'idle') end
if not declared then
  -- include: drained
end
