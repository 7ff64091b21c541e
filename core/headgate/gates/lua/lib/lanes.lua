-- perKey: an index beside RQ's list, so that a full key never holds back another key's jobs. Ids stay in the list until
-- they are claimed. Needs: claim (given: job id -> '=<key>' or '-', what the worker read from `meta`). Sets: pick, more
-- Q..mark    HASH  n ids indexed from the front, first and last of them, turn, ord
-- Q..seen    HASH  id -> '<ord>=<key>' or '<ord>-' (no key); ord grows along the list
-- Q..lane:*  LIST  ids of '=<key>' or '-' in queue order
-- Q..open    ZSET  keys by turn;  Q..shut ZSET  full keys by first lease end (ms);  Q..late ZSET  keys by opening (ms)
local list = P .. ':queue:' .. queue
local llen = call('LLEN', list)
local mark = call('HMGET', Q .. 'mark', 'n', 'first', 'last', 'turn', 'ord')
local n, turn, ord = tonumber(mark[1]) or 0, tonumber(mark[4]) or 0, tonumber(mark[5]) or 0
if n > 0 and (n > llen or call('LINDEX', list, 0) ~= mark[2] or call('LINDEX', list, n - 1) ~= mark[3]) then n = 0 end
if llen == 0 and ord > 0 then
  -- include: forget_lanes
  n, ord = 0, 0
end
-- include: meta_key
-- include: lane_index
-- include: lane_pick
local window = next(given) and 256 or 32 -- 256 answered keys are looked at together
if window == 32 and n + window < llen and call('EXISTS', Q .. 'open') == 0 then
  settle()
  if call('EXISTS', Q .. 'open') == 0 then window = 256 end -- nothing may start: look further at once
end
local unknown = index(window)
if llen > 0 and n >= llen and call('EXISTS', Q .. 'open', Q .. 'shut', Q .. 'late') == 0 then
  n = 0 -- an id stands in the list twice, or the index was lost: walk again
  unknown = index(256)
end
if unknown then
  pick = function() return nil end
  answer = { 'K', unknown }
else
  pick = choose
end
