-- May one more job of the key `name` start? Needs: start, policy, rate. Sets: full (its places are taken), at (us, 0: now)
local full, at = key_total > 0 and call('ZCOUNT', Q .. 'key:held:' .. name, alive, '+inf') >= key_total, 0
if key_limit > 256 then
  -- include: bucket_opens
elseif key_limit > 0 then
  at = opens(Q .. 'key:starts:' .. name, key_limit, key_period, 1)
end
