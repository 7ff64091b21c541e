-- Data was lost and this execution still runs: take it in again. Needs: start, policy (Q), queue.
-- False when the job runs elsewhere, or ended. An id that came back into the list with older data is taken out.
local function readd(job, execution_id, slot)
  local member, job_key = job .. ':' .. execution_id, P .. ':job:' .. job
  local status = call('HGET', job_key, 'status')
  if status and status ~= 'started' and status ~= 'queued' then return false end
  -- Not RQ's executions: they may be lost. A lapsed lease may only have been cut off too; a mark: RQ's failure code runs.
  for _, other in ipairs(call('ZRANGE', Q .. 'held', 0, -1)) do
    if other ~= member and string.sub(other, 1, #job + 1) == job .. ':' then return false end
  end
  call('ZADD', Q .. 'held', now + 20000, member)
  if status then
    call('LREM', P .. ':queue:' .. queue, 0, job)
    call('PERSIST', job_key)
    call('HSET', job_key, 'status', 'started', 'worker_name', slot)
    local stamp = time[1] .. '.' .. micros
    call('HSET', P .. ':execution:' .. member, 'id', execution_id, 'job_id', job, 'created_at', stamp, 'last_heartbeat', stamp,
      'worker_name', slot)
    call('EXPIRE', P .. ':execution:' .. member, 90)
    call('ZADD', P .. ':executions:' .. job, sec + 150, execution_id)
    call('EXPIRE', P .. ':executions:' .. job, 150)
    call('ZADD', P .. ':wip:' .. queue, sec + 90, member)
    call('SADD', P .. ':worker:' .. slot .. ':executions', member)
    call('EXPIRE', P .. ':worker:' .. slot .. ':executions', 90)
  end
  return true
end
