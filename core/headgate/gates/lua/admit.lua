#!lua
-- May this HTTP request start? Every rule looks first, then every rule takes, or none does. No allow-oom: above maxmemory the
-- middleware decides. A refusal moves no counter but the statistics.
-- KEYS[1], ARGV[1-3]: lib/start.lua
-- ARGV[4]  string  surface
-- ARGV[5]  integer revision that the caller matched with
-- ARGV[6]  string  request: names the places
-- ARGV[7..] pairs  index of a rule in the document, identity
-- Answers {epoch, seq, now, 1, stamp (us), states, places, shadowed indices} {.., 0, index, gate, retry (ms), states}
-- {.., -1, revision in the store}; states: index, limit, remaining, reset (ms) of each rule as asked
-- include: start
local surface, request = ARGV[4], ARGV[6]
local HTTP, fields = H .. 'http:' .. surface, { 'revision' }
for i = 7, #ARGV, 2 do fields[#fields + 1] = 'r' .. ARGV[i] end
local read = call('HMGET', HTTP, unpack(fields))
if read[1] ~= ARGV[5] then return { epoch, seq, now, -1, tonumber(read[1]) or 0 } end
-- include: http_plain
-- include: rate
-- include: budget
-- include: http_rule
-- include: http_log
-- include: http_ring
-- include: http_buckets
-- include: http_cross
-- include: http_look
-- include: http_take
local rules, keys, budgets, refused, retry = {}, {}, {}, nil, 0
for i = 1, #read - 1 do
  rules[i] = rule_of(read[i + 1], ARGV[5 + 2 * i], ARGV[6 + 2 * i])
  want(rules[i], keys)
end
local stored = #keys > 0 and call('MGET', unpack(keys)) or {}
for i = 1, #rules do
  local rule = rules[i]
  look(rule, stored, budgets)
  if rule.gate and not rule.shadow then
    if not refused or rule.index < refused.index then refused = rule end
    retry = math.max(retry, rule.retry)
  end
end
local stamp, places, shadowed = us, {}, {}
for i = 1, #rules do
  local rule = rules[i]
  if rule.gate and rule.shadow then
    shadowed[#shadowed + 1] = rule.index
    call('HINCRBY', HTTP .. ':stats', 's:' .. rule.name, 1)
  elseif rule.newest >= stamp then
    stamp = rule.newest + 1 -- names these starts, and keeps them in order when the clock steps back a little
  end
end
if refused then
  call('HINCRBY', HTTP .. ':stats', 'd:' .. refused.name, 1)
  call('PFADD', HTTP .. ':denied:' .. refused.name, refused.identity)
  return { epoch, seq, now, 0, refused.index, refused.gate, retry, states_of(rules) }
end
for i = 1, #rules do if not rules[i].gate then take(rules[i], stamp, places) end end
take_shares(budgets, places)
if held_places then seq = call('HINCRBY', KEYS[1], 'seq', 1) end -- so that it is noticed when the store forgets them
return { epoch, seq, now, 1, stamp, states_of(rules), places, shadowed }
