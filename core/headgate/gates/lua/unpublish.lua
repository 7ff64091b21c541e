#!lua flags=allow-oom
-- Remove a document. What runs goes on; the last one to finish takes the queue's own keys with it.
-- KEYS[1], ARGV[1-3]: lib/start.lua
-- ARGV[4]  string  queue, budget, http or task
-- ARGV[5]  string  name
-- ARGV[6]  string  owner's name       ARGV[7]  string  uid
-- Answers {epoch, seq, now, 1 removed or 0 somebody else's, or nothing there}
-- include: start
local kind, queue, field = ARGV[4], ARGV[5], ARGV[4] .. '/' .. ARGV[5]
local record = call('HGET', H .. 'owners', field)
local held = record and cjson.decode(record)
if held and (held.uid ~= ARGV[7] or held.name ~= ARGV[6]) then return { epoch, seq, now, 0 } end
-- Also what the store lost: no worker's copy may bring it back afterwards.
call('SADD', H .. 'unpublished', field .. ' ' .. ARGV[7])
call('EXPIRE', H .. 'unpublished', 86400)
if not held then return { epoch, seq, now, 0 } end
call('HDEL', H .. 'owners', field)
if kind == 'budget' then
  local key = H .. 'b:' .. queue
  call('DEL', key, key .. ':held', key .. ':http', key .. ':starts', key .. ':wait', key .. ':rwait')
elseif kind == 'http' then
  -- include: unpublish_http
elseif kind == 'task' then
  -- include: unpublish_task
else
  local Q = H .. 'q:' .. queue .. ':'
  call('DEL', H .. 'policy:' .. queue)
  -- include: wake_all
  call('SADD', H .. 'draining', queue)
  -- include: drained
end
return { epoch, seq, now, 1 }
