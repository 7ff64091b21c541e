#!lua
-- Declare the limits of a queue, a budget, an HTTP surface or a periodic task. In force for the next start everywhere.
-- KEYS[1], ARGV[1-3]: lib/start.lua
-- ARGV[4]  string  queue, budget, http or task
-- ARGV[5]  string  name
-- ARGV[6]  JSON    the document (model/documents.py)
-- ARGV[7]  string  hash of the document
-- ARGV[8]  string  owner's name       ARGV[9]  string  uid       ARGV[10] integer generation      ARGV[11] string  cluster
-- ARGV[12] string  uid of the owner that this one replaces, '' for none
-- ARGV[13] integer revision of the copy that is put back because the store lost it, '' for none. Refused when it was
--                  declared since (other than by an older copy, `restored`) or unpublished
-- Answers {epoch, seq, now, 'published' or 'same', revision} {.., 'stale', generation} {.., 'owned', owner as JSON}
-- include: start
local kind, queue, field = ARGV[4], ARGV[5], ARGV[4] .. '/' .. ARGV[5]
local generation, record = tonumber(ARGV[10]), call('HGET', H .. 'owners', field)
local key = H .. ({ queue = 'policy:', budget = 'b:', http = 'http:', task = 't:' })[kind] .. queue
local owner = { name = ARGV[8], uid = ARGV[9], generation = generation, cluster = ARGV[11], hash = ARGV[7] }
local copy, removed = tonumber(ARGV[13]), field .. ' ' .. owner.uid
if copy then
  if call('SISMEMBER', H .. 'unpublished', removed) == 1 then return { epoch, seq, now, 'stale', generation } end
  owner.restored = true
end
if record then
  local held = cjson.decode(record)
  if held.uid == owner.uid then
    if generation < held.generation or copy and not held.restored then
      return { epoch, seq, now, 'stale', held.generation }
    end
    if held.hash == owner.hash and call('EXISTS', key) == 1 then
      owner.revision = held.revision
      if generation > held.generation or held.restored then call('HSET', H .. 'owners', field, cjson.encode(owner)) end
      return { epoch, seq, now, 'same', held.revision }
    end
  elseif ARGV[12] ~= held.uid then
    return { epoch, seq, now, 'owned', record }
  end
end
if copy and copy > (tonumber(call('HGET', KEYS[1], 'revision')) or 0) then call('HSET', KEYS[1], 'revision', copy) end
call('SREM', H .. 'unpublished', removed)
local revision = call('HINCRBY', KEYS[1], 'revision', 1)
owner.revision = revision
call('HSET', H .. 'owners', field, cjson.encode(owner))
local document = cjson.decode(ARGV[6])
-- include: pack
if kind == 'queue' then
  -- include: publish_queue
elseif kind == 'http' then
  -- include: publish_http
elseif kind == 'task' then
  -- include: publish_task
else
  -- include: budget
  -- include: publish_budget
end
return { epoch, seq, now, 'published', revision }
