-- One claim. Needs: start, policy, budget, rate, wake; queue, slot, instance, nonce, execution, fused, suspended, given, done, key_freed.
-- Changes: answer, granted (nil and false before)
--   {'G', job, fence, more, revision, places, hash} {'E', llen} {'W', blocker, open_at or 0, holders} {'K', ids}
--   {'H', suspended} {'N'} {'Q', until}
if suspended then
  answer = { 'H', 1 }
elseif rules and hold > 0 then
  answer = { 'H', 0 }
elseif quarantine > now then
  answer = { 'Q', quarantine }
elseif not rules then
  answer = { 'N' }
else
  -- include: gates
  local job, data, fields, key, more, pick
  if not blocker then
    local laned = (rules[8] > 0 or rules[9] > 0) and not shadow
    if laned then
      -- include: lanes
    end
    for _ = 1, 64 do
      if laned then job, key = pick() else job = call('LPOP', P .. ':queue:' .. queue) end
      if not job then break end
      data, fields = call('HGETALL', P .. ':job:' .. job), {}
      for i = 1, #data, 2 do fields[data[i]] = data[i + 1] end
      if fields.data and fields.status ~= 'canceled' and fields.status ~= 'stopped' then
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
