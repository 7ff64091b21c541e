-- Index the next `window` ids of the list. Answers the ids whose key only the worker can read, nil when there are none.
-- Needs: lanes. Changes: n, ord
local function index(window)
  local ids = call('LRANGE', list, n, n + window - 1)
  if #ids == 0 then return nil end
  local known, keys, unknown, first_seen = call('HMGET', Q .. 'seen', unpack(ids)), {}, {}, nil
  for i, id in ipairs(ids) do
    if known[i] then
      first_seen = first_seen or i
    elseif given[id] then
      keys[i] = given[id]
    else
      local job = call('HMGET', P .. ':job:' .. id, 'headgate_key', 'meta')
      keys[i] = job[1] and '=' .. job[1] or '-'
      if not job[1] and job[2] then unknown[#unknown + 1] = id end
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
  for i = front, #ids do
    if not known[i] then
      ord = ord + 1
      call('HSET', Q .. 'seen', ids[i], ord .. keys[i])
      call('RPUSH', Q .. 'lane:' .. keys[i], ids[i])
    end
  end
  for i = 1, #ids do
    local key = keys[i]
    if key and not (call('ZSCORE', Q .. 'shut', key) or call('ZSCORE', Q .. 'late', key)) then
      call('ZADD', Q .. 'open', 'NX', turn + i / 1024, key) -- keys new in one turn: in the order of their first jobs
    end
  end
  n = n + #ids
  call('HSET', Q .. 'mark', 'n', n, 'first', call('LINDEX', list, 0), 'last', ids[#ids], 'turn', turn, 'ord', ord)
  return nil
end
