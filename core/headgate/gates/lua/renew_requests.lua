#!lua flags=allow-oom
-- An API process' beat: keeps the places of its requests in flight, says which revisions it has in use.
-- KEYS[1], ARGV[1-3]: lib/start.lua
-- ARGV[4]  string  instance
-- ARGV[5]  string  pod
-- ARGV[6]  integer n surfaces (0: the process says goodbye), then n times: surface, revision in use
-- then     the places of all requests in flight, as `admit` named them, and `d<n> <surface>/<rule>`: refused without asking us
-- Answers {epoch, seq, now, {revision in the store of each surface, 0: none}, quarantine until (ms, 0: none),
--   {live processes of each surface}}
-- include: start
local instance, n, revisions, in_flight, refused = ARGV[4], tonumber(ARGV[6]), {}, {}, {}
local instances = {}
local own, exist = H .. 'api:' .. instance, quarantine <= now and 'XX' or nil
call('HSET', KEYS[1], 'clock', now)
-- include: http_keep
for i = 7 + 2 * n, #ARGV do
  local kind, request, rest = string.match(ARGV[i], '^(%l)(%S+) (.+)$')
  if kind == 'i' then
    keep(H .. 'h:' .. rest .. ':held', request)
    local rule = string.match(rest, '^[^/]+/[^/]+')
    in_flight[rule] = (in_flight[rule] or 0) + 1
  elseif kind == 'b' then
    keep_share(request, string.match(rest, '^(%d+):(.+)$'))
  elseif kind == 'd' then
    local surface, rule = string.match(rest, '^([^/]+)/(.+)$')
    refused[#refused + 1] = { surface, rule, tonumber(request) }
  end
end
drop_lapsed()
call('DEL', own)
if n == 0 then
  call('ZREM', H .. 'apis', instance)
else
  call('HSET', own, 'pod', ARGV[5])
  for i = 7, 5 + 2 * n, 2 do
    local revision = tonumber(call('HGET', H .. 'http:' .. ARGV[i], 'revision') or 0)
    revisions[#revisions + 1] = revision
    for _, one in ipairs(refused) do -- by a rule of an earlier revision: it may be gone
      if one[1] == ARGV[i] and revision > 0 and revision == tonumber(ARGV[i + 1]) then
        call('HINCRBY', H .. 'http:' .. one[1] .. ':stats', 'd:' .. one[2], one[3])
      end
    end
    call('HSET', own, 's:' .. ARGV[i], ARGV[i + 1])
  end
  for rule, count in pairs(in_flight) do call('HSET', own, 'i:' .. rule, count) end
  call('PEXPIRE', own, 15000)
  call('ZADD', H .. 'apis', now, instance)
  call('ZREMRANGEBYSCORE', H .. 'apis', '-inf', now - 15000)
  call('PEXPIRE', H .. 'apis', 15000)
  for k = 1, n do instances[k] = 0 end
  for _, api in ipairs(call('ZRANGE', H .. 'apis', 0, -1)) do
    for k = 1, n do instances[k] = instances[k] + call('HEXISTS', H .. 'api:' .. api, 's:' .. ARGV[5 + 2 * k]) end
  end
end
return { epoch, seq, now, revisions, quarantine > now and quarantine or 0, instances }
