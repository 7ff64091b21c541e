#!lua flags=no-writes
-- What runs in each queue, how many jobs are dead there, and the documents that changed, for who shows them.
-- KEYS[1]  HASH    H:meta
-- ARGV[1]  string  P, RQ's key prefix        ARGV[2], ARGV[3] not used (a reader cannot act on lost data)
-- ARGV[4..] pairs: `queue/<queue>` or `budget/<name>`, the revision that the caller knows (0: none)
-- Answers {epoch, seq, now, {field, revision, document or '', dead, {execution, job, slot, started, call, lease end, ...}, ...}}
local call, P = redis.call, ARGV[1]
local H, MOST = P .. ':hg:', 1000
-- include: clock
local meta, found = call('HMGET', KEYS[1], 'epoch', 'seq'), {}
-- The call as RQ describes it, up to its arguments: those are nobody's business here. '' for a text of the user's own.
local function call_of(job)
  local description = call('HGET', P .. ':job:' .. job, 'description') or ''
  return string.match(string.sub(description, 1, 160), '^([^%s%(]+)%(') or ''
end
for i = 4, #ARGV, 2 do
  local kind, name = string.match(ARGV[i], '^(%a+)/(.+)$')
  local key = kind == 'queue' and H .. 'policy:' .. name or H .. 'b:' .. name
  local read, dead, running = call('HMGET', key, 'revision', 'doc'), 0, {}
  if kind == 'queue' then
    dead = call('ZCARD', P .. ':failed:' .. name)
    local held, ends = call('ZRANGE', H .. 'q:' .. name .. ':held', 0, MOST - 1, 'WITHSCORES'), {}
    for k = 1, #held, 2 do ends[string.match(held[k], '([^:]*)$')] = held[k + 1] end
    for _, member in ipairs(call('ZRANGE', P .. ':wip:' .. name, 0, MOST - 1)) do
      local job, execution = string.match(member, '^(.*):([^:]*)$')
      if job then
        local seen = call('HMGET', P .. ':execution:' .. member, 'worker_name', 'created_at')
        running[#running + 1] = execution
        running[#running + 1] = job
        running[#running + 1] = seen[1] or ''
        running[#running + 1] = seen[2] or ''
        running[#running + 1] = call_of(job)
        running[#running + 1] = ends[execution] or '0'
      end
    end
  end
  local revision = read[1] or '0'
  for _, value in ipairs({ ARGV[i], revision, revision ~= ARGV[i + 1] and read[2] or '', dead, running }) do
    found[#found + 1] = value
  end
end
return { meta[1] or '', tonumber(meta[2]) or 0, now, found }
