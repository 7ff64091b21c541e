-- HTTP rules. Needs: start, surface, request.
-- http:<surface>                     HASH  revision, doc, r<index> and n:<name>: a rule as publish_http.lua packed it
-- http:<surface>:stats               HASH  a:, d:, s:, n:<rule>: allowed, denied, shadowed, near; A:<rules>: allowed of each of
--                                    these together (http_plain.lua). Goes with the document
-- http:<surface>:denied:<rule>       HLL   identities that were refused; goes with the document
-- h:<surface>/<rule>/<identity>:log  STRING  starts, newest first (http_log.lua); :failed the same of count: Failures
-- ..:starts LIST, ..:buckets STRING  starts where the limit is above 256 (http_ring.lua, http_buckets.lua)
-- ..:held   ZSET  requests in flight by lease end (ms), for a minute
-- ..:ban    STRING  "<until ms> <strikes>", for a day after its end
local LOG, RING, BUCKETS, FAILURES = 1, 2, 3, 4
local PARTS = { ':log', ':starts', ':buckets', ':failed' }
local FORMAT = '<dddddddd'
-- One rule and whom it asks about. Times in us. `kind`: how its starts are kept, 0: no rate. `crossed`: until when starts may
-- still be kept as an earlier document wanted them. `gate`: what in it refuses, `retry` (ms). Then what it found:
-- used, newest (us; 0: no start in the window), opens (us, when `cost` fits; false: now)
local function rule_of(packed, index, identity)
  local limit, period, in_flight, cost, shadow, kind, crossed, _, rest = struct.unpack(FORMAT, packed)
  local name, shares = string.match(packed, '^(%S+) ?(.*)$', rest)
  return { index = tonumber(index), name = name, identity = identity, key = H .. 'h:' .. surface .. '/' .. name .. '/' .. identity,
    limit = limit, period = period, in_flight = in_flight, cost = cost, shadow = shadow == 1, kind = kind, crossed = crossed,
    shares = shares, used = 0, held = 0, newest = 0, retry = 0,
    banned = 0, at = 0, text = '', gate = false, opens = false }
end
