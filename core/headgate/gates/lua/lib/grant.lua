-- Take the job: leases, starts, RQ's started state, the stored answer. Needs: claim (job, data, fields, key), iso. Sets: answer
local member, job_key = job .. ':' .. execution, P .. ':job:' .. job
local execution_key, executions_key = P .. ':execution:' .. member, P .. ':executions:' .. job
local ttl = tonumber(fields.timeout) or 180
ttl = (ttl < 0 or ttl > 30) and 90 or ttl + 60
seq = seq + 1
call('HSET', KEYS[1], 'seq', seq, 'clock', now)
call('ZADD', Q .. 'held', now + 20000, member)
if rate_limit > 0 then record(Q .. 'starts', rate_limit, 1) end
if rules[6] > 0 and record(worker_ring, rules[6], 1) == 1 then
  call('PEXPIRE', worker_ring, math.max(math.ceil(rules[7] / 1000), 15000))
end
local places = {}
-- include: take_budgets
if rules[8] > 0 or rules[9] > 0 then
  -- include: take_key
end
call('HSET', job_key, 'status', 'started', 'started_at', iso, 'last_heartbeat', iso, 'worker_name', slot)
if fields.ttl or fields.worker_name ~= '' then call('PERSIST', job_key) end -- only a job that never ran and has no ttl cannot expire
call('HSET', execution_key, 'id', execution, 'job_id', job, 'created_at', stamp, 'last_heartbeat', stamp, 'worker_name', slot)
call('EXPIRE', execution_key, ttl)
call('ZADD', executions_key, sec + ttl + 60, execution)
call('EXPIRE', executions_key, ttl + 60)
call('ZADD', P .. ':wip:' .. queue, sec + ttl, member)
call('SADD', P .. ':worker:' .. slot .. ':executions', member)
if not fused then
  call('EXPIRE', P .. ':worker:' .. slot .. ':executions', ttl + 60)
  call('ZREM', Q .. 'wait', instance)
  call('ZREM', Q .. 'rwait', instance)
  if call('EXISTS', P .. ':worker:' .. slot) == 1 then call('HSET', P .. ':worker:' .. slot, 'state', 'busy') end
  if more == nil then more = call('LLEN', P .. ':queue:' .. queue) > 0 end
end
local grant = table.concat({ job, execution, seq, revision, table.concat(places, '\n') }, '\n')
if call('HSET', H .. 'slot:' .. slot, 'nonce', nonce, 'grant', grant, 'done', done) > 0 then
  call('PEXPIRE', H .. 'slot:' .. slot, 60000)
end
answer = { 'G', job, seq, more and 1 or 0, revision, places, data }
