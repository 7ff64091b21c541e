-- RQ's success state, as handle_job_success leaves it. Needs: finish, fused. Sets: leaving
local seconds, ttl, change = ARGV[13], tonumber(ARGV[13]), { job_key, 'status', 'finished', 'started_at', ARGV[14], 'ended_at', ARGV[15],
  'last_heartbeat', ARGV[15] }
for i = 19 + n, #ARGV do change[#change + 1] = ARGV[i] end
call('HSET', unpack(change))
local results = P .. ':results:' .. ended
if ARGV[12] == '' then
  call('XADD', results, 'MAXLEN', '10', '*', 'type', '1', 'worker_name', slot, 'execution_id', ended_execution,
    'execution_started_at', ARGV[16], 'execution_ended_at', ARGV[17])
else
  call('XADD', results, 'MAXLEN', '10', '*', 'type', '1', 'worker_name', slot, 'return_value', ARGV[12], 'execution_id',
    ended_execution, 'execution_started_at', ARGV[16], 'execution_ended_at', ARGV[17])
end
if ttl > 0 then
  call('EXPIRE', results, seconds)
  call('EXPIRE', job_key, seconds)
  if has_dependencies then call('EXPIRE', P .. ':job::' .. ended .. ':dependencies', seconds) end
  call('ZADD', P .. ':finished:' .. queue, sec + ttl, ended)
else
  call('PERSIST', results)
  call('ZADD', P .. ':finished:' .. queue, '+inf', ended)
end
call('DEL', P .. ':execution:' .. old, P .. ':executions:' .. ended)
call('ZREM', P .. ':wip:' .. queue, old)
if fused then
  leaving = old -- after the next one joined, so that the index keeps its ttl
else
  call('SREM', P .. ':worker:' .. slot .. ':executions', old)
end
