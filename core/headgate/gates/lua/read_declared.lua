#!lua flags=allow-oom
-- What a queue lives by: its document and those of its budgets, each with who declared it. Notices lost data, so the epoch
-- that it answers with is the one in which these documents are published, or not.
-- KEYS[1], ARGV[1-3]: lib/start.lua
-- ARGV[4]  string  queue
-- Answers {epoch, seq, now, {kind, revision, document, owner as JSON of the queue, then of each budget}}; what is not published
-- is left out
-- include: start
local found = {}
local function declared(kind, name, key)
  local read, record = call('HMGET', key, 'revision', 'doc'), call('HGET', H .. 'owners', kind .. '/' .. name)
  if not read[2] or not record then return nil end
  for _, value in ipairs({ kind, read[1], read[2], record }) do found[#found + 1] = value end
  return cjson.decode(read[2])
end
local document = declared('queue', ARGV[4], H .. 'policy:' .. ARGV[4])
if document then
  for _, share in ipairs(document.budgets) do declared('budget', share.name, H .. 'b:' .. share.name) end
end
return { epoch, seq, now, found }
