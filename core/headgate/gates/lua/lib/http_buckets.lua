-- Starts of a keyed rule with a limit above 256: a packed STRING {time, starts, ...}, newest first; all starts of one 128th of
-- the period count as the last of them. So never above the limit, and opens at most period/128 late.
-- Needs: start, http_rule, http_log (span).
local function look_at_buckets(rule, text)
  local found, edge, kept = text ~= '' and cmsgpack.unpack(text) or {}, us - rule.period, {}
  for i = 1, #found, 2 do
    if found[i] > edge and found[i] <= us + 30000000 then
      kept[#kept + 1], kept[#kept + 2] = found[i], found[i + 1]
      rule.used = rule.used + found[i + 1]
      if rule.used > rule.limit - rule.cost and not rule.opens then rule.opens = found[i] + rule.period end
    end
  end
  if rule.cost > rule.limit then rule.opens = 0 end
  rule.kept, rule.newest = kept, kept[1] or 0
end

local function record_in_buckets(rule, stamp)
  local kept, width = rule.kept, rule.period / 128
  if kept[1] and math.floor(kept[1] / width) == math.floor(stamp / width) then
    kept[1], kept[2] = stamp, kept[2] + rule.cost
  else
    table.insert(kept, 1, rule.cost)
    table.insert(kept, 1, stamp)
  end
  call('SET', rule.key .. ':buckets', cmsgpack.pack(kept), 'PX', span(rule, stamp))
end
