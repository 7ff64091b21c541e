-- Starts as a STRING of doubles (us), newest first. Half a microsecond less: a failure that was reported.
-- Needs: start, http_rule.
local double = struct.unpack
local function start_at(text, i) -- from 0
  return (double('<d', text, i * 8 + 1))
end

-- Starts that count now: not older than a period, and not from a clock that was set back by more than 30 s.
local function look_at_log(rule, text)
  local n, edge, skip = #text / 8, us - rule.period, 0
  while skip < n and start_at(text, skip) > us + 30000000 do skip = skip + 1 end
  if skip > 0 then
    text, n = string.sub(text, skip * 8 + 1), n - skip
  end
  local low, high = 0, n
  if n > 0 and start_at(text, n - 1) > edge then low = n end
  while low < high do
    local middle = math.floor((low + high) / 2)
    if start_at(text, middle) > edge then low = middle + 1 else high = middle end
  end
  rule.text, rule.used = text, low
  if low > 0 then rule.newest = math.ceil(start_at(text, 0)) end
  if low + rule.cost > rule.limit then
    rule.opens = rule.cost <= rule.limit and start_at(text, rule.limit - rule.cost) + rule.period or 0
  end
end

-- How long what was recorded at `stamp` counts (ms). The store counts in whole milliseconds from the one that began.
local function span(rule, stamp)
  return math.ceil((stamp - us + rule.period) / 1000) + 1
end

local function record_in_log(rule, stamp)
  local text = struct.pack('<d', stamp)
  if rule.cost > 1 then text = string.rep(text, rule.cost) end
  if rule.used > 0 then text = text .. string.sub(rule.text, 1, rule.used * 8) end
  call('SET', rule.key .. PARTS[rule.kind], text, 'PX', span(rule, stamp))
end
