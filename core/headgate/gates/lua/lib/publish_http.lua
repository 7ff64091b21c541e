-- Each rule packed for one cheap read (http_rule.lua). Counters stay: their keys name surface, rule and identity, no limit.
-- Needs: publish, pack. Keeps statistics by rule name and drops those of rules that are gone.
local before, gone = call('HGETALL', key), {}
for i = 1, #before, 2 do
  if string.sub(before[i], 1, 2) == 'n:' then gone[string.sub(before[i], 3)] = before[i + 1] end
end
call('DEL', key)
call('HSET', key, 'revision', revision, 'doc', ARGV[6])
for i, rule in ipairs(document.rules) do
  local limit, period = rate(rule.rate)
  -- 1 log, 2 ring, 3 buckets, 4 log of failures; 0 no rate. How the starts are kept follows from the limit alone.
  local kind = limit == 0 and 0 or rule.count == 'Failures' and 4 or limit <= 256 and 1 or rule.key == 'Global' and 2 or 3
  local crossed, tail = 0, 0
  if gone[rule.name] then
    -- `tail`: until when starts written under earlier documents may live; `crossed`: the same if the form changed meanwhile.
    local _, old_period, _, _, _, old_kind, old_crossed, old_tail = struct.unpack('<dddddddd', gone[rule.name])
    tail = math.max(old_tail, us + old_period + 31000000)
    crossed = old_kind ~= kind and tail or old_crossed > us and tail or 0
    gone[rule.name] = nil
  end
  local packed = struct.pack('<dddddddd', limit, period, number(rule.in_flight), rule.cost, rule.mode == 'Shadow' and 1 or 0, kind,
    crossed, tail) .. rule.name
  for _, share in ipairs(rule.budgets) do packed = packed .. ' b' .. share.weight .. ':' .. share.name end
  call('HSET', key, 'r' .. i - 1, packed, 'n:' .. rule.name, packed)
end
local stats = call('HGETALL', key .. ':stats')
for i = 1, #stats, 2 do
  if string.sub(stats[i], 1, 2) == 'A:' then
    for name in string.gmatch(string.sub(stats[i], 3), '%S+') do call('HINCRBY', key .. ':stats', 'a:' .. name, stats[i + 1]) end
    call('HDEL', key .. ':stats', stats[i])
  end
end
for name in pairs(gone) do
  call('HDEL', key .. ':stats', 'a:' .. name, 'd:' .. name, 's:' .. name, 'n:' .. name)
  call('DEL', key .. ':denied:' .. name)
end
