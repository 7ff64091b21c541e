-- The key's place and start. Needs: claim (key: '=<key>', '-' for a job without one, nil in Shadow), grant. Appends to: places
key = key or (fields.headgate_key and '=' .. fields.headgate_key) or '-'
if key == '-' then
  call('HINCRBY', Q .. 'stats', 'keyless', 1)
else
  local name = string.sub(key, 2)
  call('HSET', Q .. 'keys', member, name)
  call('ZADD', Q .. 'key:held:' .. name, now + 20000, member)
  places[#places + 1] = 'k' .. name
  if rules[9] > 256 then
    -- include: bucket_record
  elseif rules[9] > 0 then
    record(Q .. 'key:starts:' .. name, rules[9], 1)
    call('PEXPIRE', Q .. 'key:starts:' .. name, math.ceil(rules[10] / 1000))
  end
end
