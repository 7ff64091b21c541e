#!lua flags=no-writes
-- Everything about every declared queue and budget, in one read.
-- KEYS[1]  HASH    H:meta
-- ARGV[1]  string  P, RQ's key prefix        ARGV[2], ARGV[3] not used (a reader cannot act on lost data)
-- Answers {epoch, seq, now, JSON {quarantine, owners {field: JSON}, queues {..}, budgets {..}, instances {..}}}
local call, P = redis.call, ARGV[1]
local H = P .. ':hg:'
-- include: clock
local meta = call('HMGET', KEYS[1], 'epoch', 'seq', 'quarantine_until', 'full_at')
local full_at = tonumber(meta[4]) or 0
-- include: rate
-- include: look
local owners, queues, budgets, instances = {}, {}, {}, {}
local live = call('ZRANGEBYSCORE', H .. 'insts', '(' .. (now - 15000), '+inf')
for _, who in ipairs(live) do
  local read = call('HMGET', H .. 'inst:' .. who, 'pod', 'queue', 'revision', 'slots', 'busy', 'at', 'memory')
  if read[1] then instances[who] = read end
end
local declared = call('HGETALL', H .. 'owners')
for i = 1, #declared, 2 do
  local kind, name = string.match(declared[i], '^(%a+)/(.+)$')
  owners[declared[i]] = declared[i + 1]
  if kind == 'budget' then
    budgets[name] = look_at_budget(name)
  elseif kind == 'queue' then
    local queue = name
    -- include: policy
    -- include: look_at_queue
  end
end
return { meta[1] or '', tonumber(meta[2]) or 0, now, cjson.encode({ quarantine = tonumber(meta[3]) or 0, owners = owners,
  queues = queues, budgets = budgets, instances = instances }) }
