-- May a job of this queue start? Looks at every gate, takes nothing. Needs: start, policy, budget, rate, instance.
-- Sets: blocker (the first that refuses, nil when none), holders, open_at (us, latest that time opens), budgets, line
-- Shadow refuses nothing and counts in Q..stats what it would have refused.
-- line: where the pod may wait for the blocker: {zset, budget or false, ring or nil, limit, period (us)}, nil: nowhere
local blocker, holders, open_at, line = nil, 0, 0, nil
local function refuse(name, count, at, where)
  if shadow == 1 then
    call('HINCRBY', Q .. 'stats', 'shadow:' .. name, 1)
    return
  end
  if not blocker then blocker, holders, line = name, count, where end
  if at > open_at then open_at = at end
end

local held = 0
if total > 0 then
  held = call('ZCOUNT', Q .. 'held', alive, '+inf')
  if held >= total then refuse('concurrency.total', held, 0, { Q .. 'wait', false }) end
end
if rate_limit > 0 then
  local at = opens(Q .. 'starts', rate_limit, rate_period, 1)
  if at > 0 then refuse('rate.total', 0, at, { Q .. 'rwait', false, Q .. 'starts', rate_limit, rate_period }) end
end
local budgets = {}
for place, size, name in string.gmatch(shares, '(b(%d+):(%S+))') do
  local weight, b, blocked, ahead = tonumber(size), budget_of(name), false, 0
  if not b then
    refuse('budget/' .. name, 0, 0, nil)
  else
    budgets[#budgets + 1] = b
    b.weight, b.place = weight, place
    if now < b.waiting or now < b.promised then
      -- include: queue_up
    end
    -- A carried place counts as used already: less than none free means that the total was lowered meanwhile.
    if b.carried and b.free < 0 or not b.carried and (b.free < weight or blocked) then
      refuse('budget/' .. name, b.used, 0, { b.key .. ':wait', b })
    end
    if b.limit > 0 then
      local at = opens_after(b.key .. ':starts', b.limit, b.period, weight, ahead)
      if at > 0 then
        refuse('budget/' .. name, 0, at, { b.key .. ':rwait', b, b.key .. ':starts', b.limit, b.period })
      end
    end
    if b.sleep > us then refuse('budget/' .. name, 0, b.sleep, nil) end
  end
end
local worker_ring = H .. 'w:' .. instance .. ':starts'
if worker_limit > 0 then
  local at = opens(worker_ring, worker_limit, worker_period, 1)
  if at > 0 then refuse('rate.perWorker', 0, at, nil) end
end
if sleep > us then refuse('deferred', 0, sleep, nil) end
