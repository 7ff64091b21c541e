-- One claim. Needs: start, policy, budget, rate, wake; queue, slot, instance, nonce, execution, fused, suspended, given, done, key_freed, brief.
-- Changes: answer, granted (nil and false before)
--   {'G', job, fence, more, revision, places, hash}
--   {'B', job, fence, more, revision, places, data, timeout, result_ttl, enqueued_at, the whole hash as MessagePack}: a plain
--     job of a few KB when `brief`, as most fields are never looked at
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
  local job, data, key, more, pick
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
      data = redis.pcall('HGETALL', P .. ':job:' .. job) -- another type's key counts as a job without data
      local status = nil
      payload, timeout, result_ttl, enqueued_at, expires, plain_key, plain = nil, '', '', '', false, nil, true
      for i = 1, #data, 2 do
        local name = data[i]
        if name == 'data' then
          payload = data[i + 1]
        elseif name == 'status' then
          status = data[i + 1]
        elseif name == 'timeout' then
          timeout = data[i + 1]
        elseif name == 'result_ttl' then
          result_ttl = data[i + 1]
        elseif name == 'enqueued_at' then
          enqueued_at = data[i + 1]
        elseif name == 'ttl' then
          expires = true
        elseif name == 'headgate_key' then
          plain_key = data[i + 1]
        elseif data[i + 1] ~= '' then
          if name == 'worker_name' then
            expires = true
          elseif name == 'success_callback_name' or name == 'failure_callback_name' or name == 'stopped_callback_name'
            or name == 'repeats_left' or name == 'rate_limit_key' or name == 'webhooks' or name == 'headgate_bounces' then
            plain = false
          end
        end
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
