-- The limits, packed for one cheap read: rules =
-- 1 stop (0 None, 1 Hold, 2 HoldAndDrain) 2 shadow 3 total 4 5 rate.total (limit, period us) 6 7 rate.perWorker
-- 8 perKey 9 10 rate.perKey 11 budgets {name, weight, ...} by name 12 override until (ms) 13 its stop (-1 none) 14 its total
-- 15 16 its rate.total 17 requeue what is lost 18 most losses 19 backlog. 0 = no such limit.
-- Needs: publish, pack
local stopped = HOLDS[document.stop_policy]
local override = type(document.override) == 'table' and document.override or {}
local limit, period = rate(document.rate_total)
local worker_limit, worker_period = rate(document.rate_per_worker)
local key_limit, key_period = rate(document.rate_per_key)
local other_limit, other_period = rate(override.rate_total)
local shares = {}
table.sort(document.budgets, function(a, b) return a.name < b.name end)
for _, share in ipairs(document.budgets) do
  shares[#shares + 1] = share.name
  shares[#shares + 1] = share.weight
end
local rules = { stopped, document.mode == 'Shadow' and 1 or 0, number(document.total), limit, period, worker_limit,
  worker_period, number(document.per_key), key_limit, key_period, shares, number(override.expire_ms),
  HOLDS[override.stop_policy] or -1, number(override.total), other_limit, other_period,
  document.jobs.on_worker_lost == 'Fail' and 0 or 1, document.jobs.max_losses, number(document.backlog) }
call('HSET', key, 'gates', cmsgpack.pack(rules), 'revision', revision, 'doc', ARGV[6])
local Q = H .. 'q:' .. queue .. ':'
if rules[8] == 0 and rules[9] == 0 then
  -- include: forget_lanes
else
  for _, set in ipairs({ 'shut', 'late' }) do -- every key looks again
    for _, lane in ipairs(call('ZRANGE', Q .. set, 0, -1)) do call('ZADD', Q .. set, 0, lane) end
  end
end
call('SREM', H .. 'draining', queue)
-- include: wake_all
