-- Looks at one rule, takes nothing. Needs: start, budget, rate, and the http_ parts before.
local BANS = { 900000, 3600000, 86400000 }

-- Which strings to read for the rule: appends to `keys`.
local function want(rule, keys)
  if rule.kind >= LOG and rule.kind <= BUCKETS and us < rule.crossed then cross(rule) end
  if rule.kind == 0 or rule.kind == RING then return end
  keys[#keys + 1] = rule.key .. PARTS[rule.kind]
  rule.at = #keys
  if rule.kind == FAILURES then keys[#keys + 1] = rule.key .. ':ban' end
end

local function refuse(rule, gate, left)
  rule.gate = rule.gate or gate
  rule.retry = math.max(rule.retry, left)
end

-- Milliseconds that a ban still lasts; a clock that was set back does not make it longer than it was.
local function ban_left(text)
  local ends, strikes = string.match(text or '', '^(%d+) (%d+)$')
  if not ends then return 0, 0 end
  strikes = tonumber(strikes)
  return math.max(0, math.min(tonumber(ends) - now, BANS[math.min(strikes, 3)])), strikes
end

-- Budgets are shared with jobs. HTTP may take every free place: what it does not use of httpReserved is kept from jobs only.
local function look_at_shares(rule, budgets)
  for size, name in string.gmatch(rule.shares, 'b(%d+):(%S+)') do
    local weight = tonumber(size)
    local b = budgets[name]
    if b == nil then
      b = budget_of(name) or false
      budgets[name] = b
      if b then
        b.weight = 0
        budgets[#budgets + 1] = b
      end
    end
    if not b then
      refuse(rule, 'budget/' .. name, 0)
    else
      if b.total > 0 and b.used + weight > b.total then refuse(rule, 'budget/' .. name, 0) end
      local at = b.limit > 0 and opens(b.key .. ':starts', b.limit, b.period, weight) or 0
      at = math.max(at, b.sleep > us and b.sleep or 0)
      if at > 0 then refuse(rule, 'budget/' .. name, math.ceil((at - us) / 1000)) end
      if not rule.shadow then b.weight = math.max(b.weight, weight) end -- one request takes it once, whatever rules name it
    end
  end
end

local function look(rule, stored, budgets)
  if rule.kind == FAILURES then
    rule.banned = ban_left(stored[rule.at + 1])
    if rule.banned > 0 then refuse(rule, 'ban', rule.banned) end
  end
  if rule.kind == RING then
    look_at_ring(rule)
  elseif rule.kind == BUCKETS then
    look_at_buckets(rule, stored[rule.at] or '')
  elseif rule.kind > 0 then
    look_at_log(rule, stored[rule.at] or '')
  end
  if rule.opens then refuse(rule, 'rate', math.max(0, math.ceil((rule.opens - us) / 1000))) end
  if rule.in_flight > 0 then
    -- A lease that ends later than it could was taken before the clock was set back.
    rule.held = call('ZCOUNT', rule.key .. ':held', alive, now + 60000)
    if rule.held >= rule.in_flight then refuse(rule, 'inFlight', 0) end
  end
  if rule.shares ~= '' then look_at_shares(rule, budgets) end
  if quarantine > now and (rule.in_flight > 0 or rule.shares ~= '') then refuse(rule, 'quarantine', quarantine - now) end
end
