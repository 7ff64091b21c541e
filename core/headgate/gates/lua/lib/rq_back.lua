-- RQ's side of an execution that did not finish. Needs: start, queue.
-- Forget the execution as RQ's cleanup_execution does.
local function forget(job, execution_id, worker)
  local member = job .. ':' .. execution_id
  worker = worker or call('HGET', P .. ':execution:' .. member, 'worker_name')
  call('DEL', P .. ':execution:' .. member)
  call('ZREM', P .. ':executions:' .. job, execution_id)
  call('ZREM', P .. ':wip:' .. queue, member)
  if worker and worker ~= '' then call('SREM', P .. ':worker:' .. worker .. ':executions', member) end
end

-- To the front of the queue, as a job that never ran. Nothing when it was canceled, deleted or ended meanwhile.
local function put_back(job)
  local read = call('HMGET', P .. ':job:' .. job, 'status', 'ttl')
  if read[1] ~= 'started' then return false end
  call('HSET', P .. ':job:' .. job, 'status', 'queued', 'started_at', '', 'ended_at', '', 'last_heartbeat', '',
    'worker_name', '')
  if (tonumber(read[2]) or 0) > 0 then call('EXPIRE', P .. ':job:' .. job, read[2]) end
  call('SADD', P .. ':queues', P .. ':queue:' .. queue)
  call('LPUSH', P .. ':queue:' .. queue, job)
  return true
end
