-- Index the next `window` ids of the list. Answers the ids whose key only the worker can read, nil when there are none.
-- Needs: lanes, meta_key. Changes: n, ord
local function index(window)
  local ids = call('LRANGE', list, n, n + window - 1)
  if #ids == 0 then return nil end
  local known, keys, unknown, first_seen = call('HMGET', Q .. 'seen', unpack(ids)), {}, {}, nil
  local read, field = {}, nil -- most jobs of a tenant carry the same bytes: read once
  for i, id in ipairs(ids) do
    if known[i] then
      first_seen = first_seen or i
    elseif given[id] then
      keys[i] = given[id]
    else
      local job = redis.pcall('HMGET', P .. ':job:' .. id, 'headgate_key', 'meta') -- another type's key has neither
      if job[1] then
        keys[i] = '=' .. job[1]
      elseif job[2] then
        if field == nil then field = call('HGET', H .. 'policy:' .. queue, 'key_field') end
        local key = read[job[2]]
        if key == nil then
          key = field and key_in(job[2], field) or false
          read[job[2]] = key
        end
        keys[i] = key
        if not key then unknown[#unknown + 1] = id end
      else
        keys[i] = '-'
      end
    end
  end
  if #unknown > 0 then return unknown end
  -- Unseen ids before the first seen one were pushed to the front.
  local front = n == 0 and first_seen or 1
  local base = front > 1 and tonumber(string.match(known[front], '^-?%d+')) or 0
  for i = front - 1, 1, -1 do
    base = base - 1
    call('HSET', Q .. 'seen', ids[i], base .. keys[i])
    call('LPUSH', Q .. 'lane:' .. keys[i], ids[i])
  end
  local seen, lanes = {}, {}
  for i = 1, #ids do
    local key = keys[i]
    if key and not lanes[key] then
      lanes[key] = {}
      if not (call('ZSCORE', Q .. 'shut', key) or call('ZSCORE', Q .. 'late', key)) then
        call('ZADD', Q .. 'open', 'NX', turn + (n + i) / 1048576, key) -- new in one turn: in the order of their first jobs
      end
    end
    if key and i >= front then
      ord = ord + 1
      seen[#seen + 1] = ids[i]
      seen[#seen + 1] = ord .. key
      lanes[key][#lanes[key] + 1] = ids[i]
    end
  end
  if #seen > 0 then call('HSET', Q .. 'seen', unpack(seen)) end
  for key, more_ids in pairs(lanes) do
    if #more_ids > 0 then call('RPUSH', Q .. 'lane:' .. key, unpack(more_ids)) end
  end
  n = n + #ids
  call('HSET', Q .. 'mark', 'n', n, 'first', call('LINDEX', list, 0), 'last', ids[#ids], 'turn', turn, 'ord', ord)
  return nil
end
