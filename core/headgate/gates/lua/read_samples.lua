#!lua flags=no-writes
-- What processes said of themselves since a time (`record_sample`).
-- KEYS[1]  HASH    H:meta
-- ARGV[1]  string  P, RQ's key prefix        ARGV[2], ARGV[3] not used (a reader cannot act on lost data)
-- ARGV[4]  integer since, ms: processes that have said nothing since then are left out
-- Answers {epoch, seq, now, {instance, 1 when its beats are seen, its hash as field, value, ...} each}
local call, P = redis.call, ARGV[1]
local H = P .. ':hg:'
-- include: clock
local meta, found = call('HMGET', KEYS[1], 'epoch', 'seq'), {}
for _, who in ipairs(call('ZRANGEBYSCORE', H .. 'samples', ARGV[4], '+inf')) do
  local beat = tonumber(call('ZSCORE', H .. 'insts', who)) or 0
  found[#found + 1] = { who, beat > now - 15000 and 1 or 0, call('HGETALL', H .. 'sample:' .. who) }
end
return { meta[1] or '', tonumber(meta[2]) or 0, now, found }
