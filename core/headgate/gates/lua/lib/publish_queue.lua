-- The limits, packed for one cheap read (policy.lua). Needs: publish, pack
local override = type(document.override) == 'table' and document.override or {}
local limit, period = rate(document.rate_total)
local worker_limit, worker_period = rate(document.rate_per_worker)
local key_total, key_limit, key_period = number(document.per_key), rate(document.rate_per_key)
local other_limit, other_period = rate(override.rate_total)
local shares = {}
table.sort(document.budgets, function(a, b) return a.name < b.name end)
for _, share in ipairs(document.budgets) do shares[#shares + 1] = 'b' .. share.weight .. ':' .. share.name end
local packed = struct.pack('<dddddddddddddddddd', HOLDS[document.stop_policy], document.mode == 'Shadow' and 1 or 0,
  number(document.total), limit, period, worker_limit, worker_period, key_total, key_limit, key_period,
  document.jobs.on_worker_lost == 'Fail' and 0 or 1, document.jobs.max_losses, number(document.backlog),
  number(override.expire_ms), HOLDS[override.stop_policy] or -1, number(override.total), other_limit, other_period)
call('HSET', key, 'gates', packed .. table.concat(shares, ' '), 'revision', revision, 'doc', ARGV[6],
  'key_field', document.key_field)
local Q = H .. 'q:' .. queue .. ':'
if key_total == 0 and key_limit == 0 then
  -- include: forget_lanes
else
  for _, set in ipairs({ 'shut', 'late' }) do -- every key looks again
    for _, lane in ipairs(call('ZRANGE', Q .. set, 0, -1)) do call('ZADD', Q .. set, 0, lane) end
  end
end
call('SREM', H .. 'draining', queue)
-- include: wake_all
