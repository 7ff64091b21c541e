-- The rule was edited and keeps its starts in another form than before: take along what the identity has in the old one.
-- Needs: start, http_rule, http_log, http_ring, http_buckets.
-- What counts of the starts kept as `kind`, as {time, starts, ...}, newest first.
local function starts_kept(rule, kind)
  local key, found = rule.key .. PARTS[kind], {}
  if kind == BUCKETS then
    local text = call('GET', key)
    found = text and cmsgpack.unpack(text) or {}
  elseif kind == RING then
    for _, at in ipairs(call('LRANGE', key, 0, -1)) do
      found[#found + 1], found[#found + 2] = tonumber(at), 1
    end
  else
    local text = call('GET', key) or ''
    for i = 0, #text / 8 - 1 do
      found[#found + 1], found[#found + 2] = start_at(text, i), 1
    end
  end
  return found
end

local function write_starts(rule, starts)
  local texts, key = {}, rule.key .. PARTS[rule.kind]
  if rule.kind == BUCKETS then
    call('SET', key, cmsgpack.pack(starts), 'PX', span(rule, starts[1]))
    return
  end
  for i = 1, #starts, 2 do
    for _ = 1, starts[i + 1] do
      texts[#texts + 1] = rule.kind == RING and string.format('%.0f', starts[i]) or struct.pack('<d', starts[i])
    end
  end
  if rule.kind == LOG then
    call('SET', key, table.concat(texts), 'PX', span(rule, starts[1]))
  else
    for _, text in ipairs(texts) do call('RPUSH', key, text) end
    call('PEXPIRE', key, span(rule, starts[1]))
  end
end

-- An identity's starts stand in one form at a time: whoever comes first after the edit takes all of them along.
local function cross(rule)
  for kind = LOG, BUCKETS do
    if kind ~= rule.kind then
      local found, counting = starts_kept(rule, kind), {}
      for i = 1, #found, 2 do
        if found[i] > us - rule.period and found[i] <= us + 30000000 then
          counting[#counting + 1], counting[#counting + 2] = found[i], found[i + 1]
        end
      end
      if #found > 0 then call('DEL', rule.key .. PARTS[kind]) end
      if #counting > 0 then write_starts(rule, counting) end
    end
  end
end
