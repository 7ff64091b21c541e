-- Executions of this queue whose lease lapsed. Needs: start, policy (Q), budget, wake, places, rq_back, lose.
-- Appends to: reaped (flat queue, job, execution, fate, losses). Answers how many it handled.
local function reap_queue(limit, dead, reaped)
  local count = 0
  for _, member in ipairs(call('ZRANGEBYSCORE', Q .. 'held', '-inf', now, 'LIMIT', 0, limit)) do
    local job, execution_id, mark = string.match(member, '^(.*):([^:!]*)(!?)$')
    local plain, places = job .. ':' .. execution_id, {}
    local fate, losses = lose(job, execution_id, mark == '!', dead)
    if fate ~= 'left' then
      local key = call('HGET', Q .. 'keys', plain)
      if key then places[1] = 'k' .. key end
      for place in string.gmatch(shares, '%S+') do places[#places + 1] = place end
      give_back(plain, execution_id, places)
      wake_one()
      if fate ~= 'none' then
        for _, value in ipairs({ queue, job, execution_id, fate, losses }) do reaped[#reaped + 1] = value end
      end
      count = count + 1
    end
  end
  for i = 1, #freed do
    local b = budget_of(freed[i])
    if b and now < b.waiting then hand_over(b) end
  end
  return count
end
