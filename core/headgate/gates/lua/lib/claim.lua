-- One claim. Needs: start, policy, budget, rate, wake; queue, slot, instance, nonce, execution, fused, suspended, given, done, key_freed.
-- Changes: answer, granted (nil and false before)
--   {'G', job, fence, more, revision, places, hash} {'E', llen} {'W', blocker, open_at or 0, holders} {'K', ids}
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
  local timeout, expires, plain_key -- of the job's hash; expires: it has a ttl or ran before, so it may be expiring
  if not blocker then
    local laned = (key_total > 0 or key_limit > 0) and shadow == 0
    if laned then
      -- include: lanes
    end
    for _ = 1, 64 do
      if laned then job, key = pick() else job = call('LPOP', P .. ':queue:' .. queue) end
      if not job then break end
      data = redis.pcall('HGETALL', P .. ':job:' .. job) -- another type's key counts as a job without data
      local ran, status = false, nil
      timeout, expires, plain_key = nil, false, nil
      for i = 1, #data, 2 do
        local name = data[i]
        if name == 'data' then
          ran = true
        elseif name == 'status' then
          status = data[i + 1]
        elseif name == 'timeout' then
          timeout = data[i + 1]
        elseif name == 'ttl' or name == 'worker_name' and data[i + 1] ~= '' then
          expires = true
        elseif name == 'headgate_key' then
          plain_key = data[i + 1]
        end
      end
      if ran and status ~= 'canceled' and status ~= 'stopped' then
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
