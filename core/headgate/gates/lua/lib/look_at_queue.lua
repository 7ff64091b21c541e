-- One queue for inspect. Needs: clock, policy, look, instances, live. Sets: queues[name]
local seen = { revision = revision, queued = call('LLEN', P .. ':queue:' .. queue), total = total, hold = hold,
  due = call('ZCOUNT', P .. ':scheduled:' .. queue, '-inf', sec), used = call('ZCOUNT', Q .. 'held', alive, '+inf'),
  holders = look_at_holders(Q .. 'held'), waiting = call('ZCARD', Q .. 'wait'), sleep = math.ceil(sleep / 1000),
  stats = call('HGETALL', Q .. 'stats'), foreign = {}, suspended = call('EXISTS', P .. ':suspended'),
  poison = call('ZINTERCARD', 2, Q .. 'poison', P .. ':failed:' .. queue) }
if overridden then seen.override = call('HGET', H .. 'policy:' .. queue, 'over_doc') end
if declared then
  seen.shares = shares
  seen.per_key = { key_total, call('ZCARD', Q .. 'shut'), call('HLEN', Q .. 'keys') }
  seen.rate_per_key = { key_limit, key_period / 1000, call('ZCARD', Q .. 'late'),
    math.ceil(tonumber(call('ZRANGE', Q .. 'late', 0, 0, 'WITHSCORES')[2]) or 0) }
  seen.open = call('ZCARD', Q .. 'open')
  if rate_limit > 0 then seen.rate = look_at_ring(Q .. 'starts', rate_limit, rate_period, call('ZCARD', Q .. 'rwait')) end
  if worker_limit > 0 then
    for who, instance in pairs(instances) do
      if instance[2] == queue then
        local ring = look_at_ring(H .. 'w:' .. who .. ':starts', worker_limit, worker_period, 0)
        if not seen.rate_per_worker or ring[3] > seen.rate_per_worker[3] then seen.rate_per_worker = ring end
      end
    end
  end
end
for _, worker in ipairs(call('SMEMBERS', P .. ':workers:' .. queue)) do
  local read = call('HMGET', worker, 'birth', 'death', 'headgate') -- a slot of ours says so from its birth
  if read[1] and not read[2] and not read[3] then seen.foreign[#seen.foreign + 1] = string.sub(worker, #P + 9) end
end
queues[queue] = seen
