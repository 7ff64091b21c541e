#!lua flags=no-writes
-- Every declared periodic task: what runs, what ran, what was skipped.
-- KEYS[1]  HASH    H:meta
-- ARGV[1]  string  P, RQ's key prefix        ARGV[2], ARGV[3] not used (a reader cannot act on lost data)
-- Answers {epoch, seq, now, {task, revision, document, state as field, value, ..., the last 32 skipped ticks} each}
local call, P = redis.call, ARGV[1]
local H = P .. ':hg:'
-- include: clock
local meta, found = call('HMGET', KEYS[1], 'epoch', 'seq'), {}
for _, field in ipairs(call('HKEYS', H .. 'owners')) do
  if string.sub(field, 1, 5) == 'task/' then
    local T = H .. 't:' .. string.sub(field, 6)
    local stored, skipped = call('HMGET', T, 'revision', 'doc'), {}
    for _, tick in ipairs(call('ZRANGE', T .. ':ticks', 0, -1)) do
      if string.sub(tick, 1, 1) == 's' then skipped[#skipped + 1] = tonumber(string.sub(tick, 2)) end
    end
    while #skipped > 32 do table.remove(skipped, 1) end
    if stored[2] then
      found[#found + 1] = { string.sub(field, 6), tonumber(stored[1]), stored[2], call('HGETALL', T .. ':run'), skipped }
    end
  end
end
return { meta[1] or '', tonumber(meta[2]) or 0, now, found }
