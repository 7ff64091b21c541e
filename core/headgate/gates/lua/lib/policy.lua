-- The queue's limits in force now. Needs: start, queue. Sets: Q (prefix of the queue's keys), rules (the packed array of
-- publish.lua, false without a policy), revision, sleep (us), and total, rate_limit, rate_period with a live override applied.
local Q = H .. 'q:' .. queue .. ':'
local policy = call('HMGET', H .. 'policy:' .. queue, 'gates', 'revision', 'sleep')
local rules = policy[1] and cmsgpack.unpack(policy[1])
local revision, sleep = tonumber(policy[2]) or 0, tonumber(policy[3]) or 0
local hold, total, rate_limit, rate_period = 0, 0, 0, 0
if rules then
  hold, total, rate_limit, rate_period = rules[1], rules[3], rules[4], rules[5]
  if rules[12] > now then
    if rules[13] >= 0 then hold = rules[13] end
    if rules[14] > 0 then total = rules[14] end
    if rules[15] > 0 then rate_limit, rate_period = rules[15], rules[16] end
  end
end
