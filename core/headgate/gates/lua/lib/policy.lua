-- The queue's limits in force now, as publish_queue.lua packed them; 0 = no such limit. Needs: call, H, now, queue.
-- Sets: Q (prefix of the queue's keys), declared (is there a policy), revision, sleep (us), and
--   hold (0 None, 1 Hold, 2 HoldAndDrain), total, rate_limit and rate_period (us), each with a live override applied
--   shadow (1: count, enforce nothing), worker_limit, worker_period, key_total, key_limit, key_period
--   overridden (one that override.lua set is in force)
--   requeue (1: what is lost goes back), max_losses, backlog, shares (places of its budgets by name: "b1:ns/mail b2:ns/sms")
local Q = H .. 'q:' .. queue .. ':'
local policy = call('HMGET', H .. 'policy:' .. queue, 'gates', 'revision', 'sleep', 'over')
local declared, revision, sleep, overridden = policy[1], tonumber(policy[2]) or 0, tonumber(policy[3]) or 0, false
local hold, shadow, total, rate_limit, rate_period, worker_limit, worker_period, key_total, key_limit, key_period, requeue,
  max_losses, backlog, shares = 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 0, ''
if declared then
  local expires, other_hold, other_total, other_limit, other_period, rest
  hold, shadow, total, rate_limit, rate_period, worker_limit, worker_period, key_total, key_limit, key_period, requeue,
    max_losses, backlog, expires, other_hold, other_total, other_limit, other_period, rest =
    struct.unpack('<dddddddddddddddddd', declared)
  shares = string.sub(declared, rest)
  if expires > now then
    if other_hold >= 0 then hold = other_hold end
    if other_total > 0 then total = other_total end
    if other_limit > 0 then rate_limit, rate_period = other_limit, other_period end
  end
  if policy[4] then -- override.lua: stronger than the document's own
    expires, other_hold, other_total, other_limit, other_period = struct.unpack('<ddddd', policy[4])
    if expires > now then
      overridden = true
      if other_hold >= 0 then hold = other_hold end
      if other_total > 0 then total = other_total end
      if other_limit > 0 then rate_limit, rate_period = other_limit, other_period end
    end
  end
end
