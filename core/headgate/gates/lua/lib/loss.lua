-- Was data lost, or was everybody cut off? Then nothing starts for a lease (L) and rate windows count as full.
-- Needs: start. Changes: epoch, seq, quarantine, full_at
local seen, lost, running = ARGV[2], false, false
if not epoch then
  epoch = string.format('%.0f', us)
  lost = seen ~= ''
  call('HSET', KEYS[1], 'epoch', epoch, 'seq', seq, 'clock', now)
elseif seen ~= '' and seen ~= epoch then
  lost = call('HGET', KEYS[1], 'lost') ~= seen
elseif seen == epoch and seq < tonumber(ARGV[3]) then
  lost = true
elseif now > clock + 10000 then
  -- Nobody renewed for two beats. Only leases that lapsed meanwhile can be counted wrongly.
  local queues = call('SMEMBERS', H .. 'draining')
  for _, name in ipairs(call('HKEYS', H .. 'owners')) do
    if string.sub(name, 1, 6) == 'queue/' then queues[#queues + 1] = string.sub(name, 7) end
    if string.sub(name, 1, 5) == 'task/' then
      -- One that had lapsed before the last beat was lost by itself, and is taken for that by the next run.
      local lease_end = tonumber(call('HGET', H .. 't:' .. string.sub(name, 6) .. ':run', 'lease_end') or 0)
      running = running or lease_end > clock
      lost = lost or lease_end > clock and lease_end <= now
    end
  end
  for i = 1, #queues do
    local first = call('ZRANGE', H .. 'q:' .. queues[i] .. ':held', 0, 0, 'WITHSCORES')
    running = running or #first > 0
    lost = lost or #first > 0 and tonumber(first[2]) <= now
  end
  if not running then call('HSET', KEYS[1], 'clock', now) end
end
if now < clock - 20000 then
  -- include: new_clock
  lost = true
end
if lost then
  -- The jump keeps fences growing past grants that the store no longer knows of.
  seq = math.max(seq, tonumber(ARGV[3])) + 1000000
  quarantine, full_at = now + 20000, us
  call('HSET', KEYS[1], 'seq', seq, 'clock', now, 'quarantine_until', quarantine, 'full_at', full_at)
  if seen ~= '' and seen ~= epoch then call('HSET', KEYS[1], 'lost', seen) end
end
