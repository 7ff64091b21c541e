-- The clock was set back by more than a lease: what ends by the old clock must not last as long as the step was. Leases end
-- within 60 s (who lives renews before that), keys look again, sleeps move along. Needs: start
local function end_soon(key)
  for _, member in ipairs(call('ZRANGEBYSCORE', key, '(' .. now + 60000, '+inf')) do call('ZADD', key, now + 60000, member) end
end
local function wake_earlier(key)
  local until_us = tonumber(call('HGET', key, 'sleep') or 0)
  if until_us > us then call('HSET', key, 'sleep', string.format('%.0f', until_us - (clock - now) * 1000)) end
end
local fields = call('HKEYS', H .. 'owners')
for _, name in ipairs(call('SMEMBERS', H .. 'draining')) do fields[#fields + 1] = 'queue/' .. name end
for _, field in ipairs(fields) do
  local kind, name = string.match(field, '^(%a+)/(.+)$')
  if kind == 'budget' then
    end_soon(H .. 'b:' .. name .. ':held')
    end_soon(H .. 'b:' .. name .. ':http')
    wake_earlier(H .. 'b:' .. name)
  elseif kind == 'task' then
    local key = H .. 't:' .. name .. ':run'
    local ends = call('HMGET', key, 'lease_end', 'last_ended')
    if tonumber(ends[1] or 0) > now + 60000 then call('HSET', key, 'lease_end', now + 60000) end
    if tonumber(ends[2] or 0) > now then call('HSET', key, 'last_ended', now) end
  elseif kind == 'queue' then
    local Q = H .. 'q:' .. name .. ':'
    end_soon(Q .. 'held')
    for _, key in ipairs(call('HVALS', Q .. 'keys')) do end_soon(Q .. 'key:held:' .. key) end
    for _, set in ipairs({ 'shut', 'late' }) do
      for _, lane in ipairs(call('ZRANGE', Q .. set, 0, -1)) do call('ZADD', Q .. set, 0, lane) end
    end
    if call('EXISTS', H .. 'policy:' .. name) == 1 then wake_earlier(H .. 'policy:' .. name) end
  end
end
