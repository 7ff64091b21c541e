-- One claim. Needs: start, policy, budget, rate, wake; queue, slot, instance, nonce, execution, fused, suspended, given, done, key_freed, brief.
-- Changes: answer, granted (nil and false before)
--   {'G', job, fence, more, revision, places, hash}
--   {'B', job, fence, more, revision, places, data, timeout, result_ttl, enqueued_at}: a plain job of a few KB when `brief`, as
--     most fields are never looked at
--   {'E', llen} {'W', blocker, open_at or 0, holders} {'K', ids}
--   {'H', suspended} {'N'} {'Q', until}
if suspended then
  answer = { 'H', 1 }
elseif declared and hold > 0 then
  answer = { 'H', 0 }
elseif quarantine > now then
  answer = { 'Q', quarantine }
elseif not declared then
  answer = { 'N' }
else
  -- include: gates
  local job, key, more, pick
  -- Of the job's hash. expires: it has a ttl or ran before, so it may be expiring. plain: RQ need not run at its success.
  local payload, timeout, result_ttl, enqueued_at, expires, plain_key, plain
  if not blocker then
    local laned = (key_total > 0 or key_limit > 0) and shadow == 0
    if laned then
      -- include: lanes
    end
    for _ = 1, 64 do
      if laned then job, key = pick() else job = call('LPOP', P .. ':queue:' .. queue) end
      if not job then break end
      -- Another type's key counts as a job without data: the error has no first field.
      local read = redis.pcall('HMGET', P .. ':job:' .. job, 'data', 'status', 'timeout', 'result_ttl', 'enqueued_at', 'ttl', 'worker_name',
        'headgate_key', 'success_callback_name', 'failure_callback_name', 'stopped_callback_name', 'repeats_left', 'rate_limit_key',
        'webhooks', 'headgate_bounces')
      local status = read[2]
      payload, plain_key, timeout, result_ttl, enqueued_at = read[1], read[8], read[3] or '', read[4] or '', read[5] or ''
      expires, plain = read[6] or read[7] and read[7] ~= '', true
      for i = 9, 15 do
        if read[i] and read[i] ~= '' then plain = false end
      end
      if payload and status ~= 'canceled' and status ~= 'stopped' then
        granted = true
        break
      end
    end
    if not granted then
      answer = answer or { job and 'K' or 'E', job and {} or call('LLEN', P .. ':queue:' .. queue) }
    end
  end
  if granted then
    -- include: iso
    -- include: grant
    if fused and more and key_freed and (total == 0 or held + 1 < total) then wake_one() end
  elseif blocker then
    -- include: wait
  end
end
