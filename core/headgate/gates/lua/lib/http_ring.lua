-- Starts of a Global rule with a limit above 256: a LIST (us), newest first. Needs: start, http_rule, http_log (span).
local function look_at_ring(rule)
  local key, edge = rule.key .. ':starts', us - rule.period
  local newest = tonumber(call('LINDEX', key, 0) or 0)
  while newest > us + 30000000 do -- from a clock that was set back
    call('LPOP', key)
    newest = tonumber(call('LINDEX', key, 0) or 0)
  end
  local low, high = 0, newest > edge and math.min(rule.limit, call('LLEN', key)) or 0
  if high > 0 and tonumber(call('LINDEX', key, high - 1)) > edge then low = high end
  while low < high do
    local middle = math.floor((low + high) / 2)
    if tonumber(call('LINDEX', key, middle)) > edge then low = middle + 1 else high = middle end
  end
  rule.used = low
  if low > 0 then rule.newest = newest end
  if low + rule.cost > rule.limit then
    rule.opens = rule.cost <= rule.limit and tonumber(call('LINDEX', key, rule.limit - rule.cost)) + rule.period or 0
  end
end

local function record_in_ring(rule, stamp)
  local key, text = rule.key .. ':starts', string.format('%.0f', stamp)
  local texts = {}
  for i = 1, rule.cost do texts[i] = text end
  call('LPUSH', key, unpack(texts))
  call('LTRIM', key, 0, rule.used + rule.cost - 1)
  call('PEXPIRE', key, span(rule, stamp))
end
