-- Takes what was looked at. Needs: start, HTTP, request, http_look. Sets: held_places (true: places of a lease were taken)
local held_places = false
local function take(rule, stamp, places)
  local stats = HTTP .. ':stats'
  if rule.kind == RING then
    record_in_ring(rule, stamp)
  elseif rule.kind == BUCKETS then
    record_in_buckets(rule, stamp)
  elseif rule.kind > 0 then
    record_in_log(rule, stamp)
  end
  if rule.kind > 0 then
    rule.used, rule.newest = rule.used + rule.cost, stamp
    if rule.kind == FAILURES then places[#places + 1] = 'f' .. request .. ' ' .. string.sub(rule.key, #H + 3) end
  end
  if rule.in_flight > 0 then
    rule.held, held_places = rule.held + 1, true
    call('ZADD', rule.key .. ':held', now + 20000, request)
    call('PEXPIRE', rule.key .. ':held', 60000)
    places[#places + 1] = 'i' .. request .. ' ' .. string.sub(rule.key, #H + 3)
  end
  call('HINCRBY', stats, 'a:' .. rule.name, 1)
  if rule.used > 0.8 * rule.limit and rule.limit > 0 or rule.held > 0.8 * rule.in_flight and rule.in_flight > 0 then
    call('HINCRBY', stats, 'n:' .. rule.name, 1)
  end
end

local function take_shares(budgets, places)
  for _, b in ipairs(budgets) do
    if b.weight > 0 then
      held_places = true
      for k = 1, b.weight do
        local member = 'h:' .. request .. (b.weight > 1 and '#' .. k or '')
        call('ZADD', b.key .. ':held', now + 20000, member)
        call('ZADD', b.key .. ':http', now + 20000, member)
      end
      if b.limit > 0 then record(b.key .. ':starts', b.limit, b.weight) end
      places[#places + 1] = 'b' .. request .. ' ' .. b.weight .. ':' .. b.name
    end
  end
end

-- index, limit, remaining and reset (ms) of each rule; 0, 0, 0 without a rate.
local function states_of(rules)
  local states = {}
  for i = 1, #rules do
    local rule, at = rules[i], 4 * i
    local left = rule.newest > 0 and math.ceil((rule.newest + rule.period - us) / 1000) or 0
    states[at - 3], states[at - 2] = rule.index, rule.limit
    states[at - 1] = rule.banned > 0 and 0 or math.max(0, rule.limit - rule.used)
    states[at] = math.max(left, rule.banned)
  end
  return states
end
