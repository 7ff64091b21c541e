#!lua flags=allow-oom
-- Every declared HTTP surface: its document, what its rules counted, and which API processes have what in use. Writes nothing,
-- but the store takes PFCOUNT for a write (it may note what it counted).
-- KEYS[1]  HASH    H:meta
-- ARGV[1]  string  P, RQ's key prefix        ARGV[2], ARGV[3] not used (a reader cannot act on lost data)
-- Answers {epoch, seq, now, JSON {surfaces {surface: {revision, doc, stats, denied {rule: identities}}}, apis {instance: {field, value, ...}}}}
local call, P = redis.call, ARGV[1]
local H = P .. ':hg:'
-- include: clock
local meta = call('HMGET', KEYS[1], 'epoch', 'seq')
local surfaces, apis = {}, {}
for _, who in ipairs(call('ZRANGEBYSCORE', H .. 'apis', '(' .. (now - 15000), '+inf', 'LIMIT', 0, 1000)) do
  apis[who] = call('HGETALL', H .. 'api:' .. who)
end
for _, field in ipairs(call('HKEYS', H .. 'owners')) do
  local surface = string.match(field, '^http/(.+)$')
  local key = surface and H .. 'http:' .. surface
  local read = key and call('HMGET', key, 'revision', 'doc')
  if read and read[2] then
    local denied = {}
    for _, rule in ipairs(cjson.decode(read[2]).rules) do denied[rule.name] = call('PFCOUNT', key .. ':denied:' .. rule.name) end
    surfaces[surface] = { revision = read[1], doc = read[2], stats = call('HGETALL', key .. ':stats'), denied = denied }
  end
end
return { meta[1] or '', tonumber(meta[2]) or 0, now, cjson.encode({ surfaces = surfaces, apis = apis }) }
