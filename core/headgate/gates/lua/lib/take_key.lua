-- The key's place and start. Needs: claim (plain_key, key: '=<key>', '-' for a job without one, nil in Shadow), grant. Appends to: places
key = key or (plain_key and '=' .. plain_key) or '-'
if key == '-' then
  call('HINCRBY', Q .. 'stats', 'keyless', 1)
else
  local name = string.sub(key, 2)
  if shadow == 1 then
    -- include: key_gates
    if full then call('HINCRBY', Q .. 'stats', 'shadow:concurrency.perKey', 1) end
    if at > 0 then call('HINCRBY', Q .. 'stats', 'shadow:rate.perKey', 1) end
  end
  call('HSET', Q .. 'keys', member, name)
  call('ZADD', Q .. 'key:held:' .. name, lease, member)
  places[#places + 1] = 'k' .. name
  if key_limit > 256 then
    -- include: bucket_record
  elseif key_limit > 0 then
    record(Q .. 'key:starts:' .. name, key_limit, 1)
    call('PEXPIRE', Q .. 'key:starts:' .. name, math.ceil(key_period / 1000))
  end
end
