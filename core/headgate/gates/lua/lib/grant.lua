-- Take the job: leases, starts, RQ's started state, the stored answer. Needs: claim (job, what it read from its hash, key), iso. Sets: answer
local member, job_key = job .. ':' .. execution, P .. ':job:' .. job
local execution_key, executions_key = P .. ':execution:' .. member, P .. ':executions:' .. job
local ttl = tonumber(timeout) or 180
ttl = (ttl < 0 or ttl > 30) and 90 or ttl + 60
local index, lease = P .. ':worker:' .. slot .. ':executions', now + 20000
seq = call('HINCRBY', KEYS[1], 'seq', '1')
call('ZADD', Q .. 'held', lease, member)
if rate_limit > 0 then record(Q .. 'starts', rate_limit, 1) end
if worker_limit > 0 and record(worker_ring, worker_limit, 1) == 1 then
  call('PEXPIRE', worker_ring, math.max(math.ceil(worker_period / 1000), 15000))
end
local places = {}
-- include: take_budgets
if key_total > 0 or key_limit > 0 then
  -- include: take_key
end
local told = brief and plain and #payload <= 4096
local hash = told and payload or call('HGETALL', job_key)
call('HSET', job_key, 'status', 'started', 'started_at', iso, 'last_heartbeat', iso, 'worker_name', slot)
if expires then call('PERSIST', job_key) end
call('HSET', execution_key, 'id', execution, 'job_id', job, 'created_at', stamp, 'last_heartbeat', stamp, 'worker_name', slot)
call('EXPIRE', execution_key, ttl)
-- Its first renewal gives the set a time to live; until then finish or reap empties it.
call('ZADD', executions_key, sec + ttl + 60, execution)
call('ZADD', P .. ':wip:' .. queue, sec + ttl, member)
call('SADD', index, member)
if leaving then
  call('SREM', index, leaving)
else
  call('EXPIRE', index, ttl)
end
if not fused then
  call('ZREM', Q .. 'wait', instance)
  call('ZREM', Q .. 'rwait', instance)
  if call('EXISTS', P .. ':worker:' .. slot) == 1 then call('HSET', P .. ':worker:' .. slot, 'state', 'busy') end
  if more == nil then more = call('LLEN', P .. ':queue:' .. queue) > 0 end
end
local grant = job .. '\n' .. execution .. '\n' .. seq .. '\n' .. (policy[2] or 0)
for i = 1, #places do grant = grant .. '\n' .. places[i] end
if call('HSET', H .. 'slot:' .. slot, 'nonce', nonce, 'grant', grant, 'done', done) > 0 then
  call('PEXPIRE', H .. 'slot:' .. slot, 60000)
end
if told then
  answer = { 'B', job, seq, more and 1 or 0, revision, places, hash, timeout, result_ttl, enqueued_at }
else
  answer = { 'G', job, seq, more and 1 or 0, revision, places, hash }
end
