-- An execution is lost: its worker died or its lease lapsed. Needs: start, policy (Q), rq_back.
-- The lease of the dead goes to a mark `<job>:<execution>!` that only `release` without a slot takes, so that a worker which
-- wakes up later is refused while RQ's failure code runs; a mark that lapses is lost again.
-- dead: the caller can run RQ's failure code. Answers fate ('requeued', 'failed', 'poison', 'none', 'left') and losses.
local function lose(job, execution_id, marked, dead)
  local member, job_key = job .. ':' .. execution_id, P .. ':job:' .. job
  local read = call('HMGET', job_key, 'status', 'headgate_losses')
  local losses, started = (tonumber(read[2]) or 0) + (marked and 0 or 1), read[1] == 'started'
  for _, other in ipairs(started and call('ZRANGE', P .. ':executions:' .. job, 0, -1) or {}) do
    if other ~= execution_id then
      started = started and (tonumber(call('ZSCORE', Q .. 'held', job .. ':' .. other)) or 0) <= now
    end
  end
  local fate = 'requeued'
  if not started then
    fate = 'none'
  elseif requeue == 0 then
    fate = 'failed'
  elseif losses > max_losses then
    fate = 'poison'
  end
  if (fate == 'failed' or fate == 'poison') and not dead then return 'left', losses end
  call('ZREM', Q .. 'held', marked and member .. '!' or member)
  forget(job, execution_id)
  if not started then return fate, losses end
  call('HSET', job_key, 'headgate_losses', losses)
  if fate == 'requeued' then
    put_back(job)
  else
    call('ZADD', Q .. 'held', now + 60000, member .. '!')
    if fate == 'poison' and not marked then
      call('HINCRBY', Q .. 'stats', 'poison', 1)
      call('ZADD', Q .. 'poison', now, job)
      call('ZREMRANGEBYRANK', Q .. 'poison', 0, -1001) -- whoever has a thousand of them needs no exact number
    end
  end
  return fate, losses
end
