-- End one execution. Needs: start, policy, budget, places, rq_back, queue, slot, ended (job), ended_execution, exist.
-- exist: how many of suspended, dependents, dependencies and the job hash exist (1: only the hash, the usual case)
-- ARGV[11] outcome D Done, R Returned, F Deferred, L Lost
--   D: [12] result (base64, '' none) [13] result ttl (s, -1 for ever) [14] started_at [15] ended_at (ISO) [16] [17] both as epoch seconds
--   F: [12] scope queue, key or budget/<name> [13] ms
-- ARGV[18] n, then n places, then pairs of changed job fields
-- Sets: finished ('ok', 'gone', 'slow', 'failed', 'poison'), fenced (its lease was there), done (what to store in the slot)
local finished, fenced, old = 'ok', true, ended .. ':' .. ended_execution
local outcome, job_key, n = ARGV[11], P .. ':job:' .. ended, tonumber(ARGV[18])
local job_exists, has_dependencies = true, false
if exist ~= 1 then
  job_exists = call('EXISTS', job_key) == 1
  has_dependencies = call('EXISTS', P .. ':job::' .. ended .. ':dependencies') == 1
  if outcome == 'D' and call('EXISTS', job_key .. ':dependents') == 1 then finished = 'slow' end
end
if finished == 'ok' and call('ZREM', Q .. 'held', old) == 0 then
  -- include: unfenced
end
if finished == 'ok' and fenced then
  local places = {}
  for i = 1, n do places[i] = ARGV[18 + i] end
  if outcome == 'D' and job_exists then
    -- include: rq_done
  elseif outcome == 'L' then
    finished = lose(ended, ended_execution, false, true)
    if finished ~= 'failed' and finished ~= 'poison' then finished = 'ok' end
  else
    forget(ended, ended_execution, slot)
    if outcome ~= 'D' then put_back(ended) end
  end
  give_back(old, ended_execution, places)
  if outcome == 'F' then
    -- include: defer
  end
  done = finished == 'ok' and ended_execution or ended_execution .. '=' .. finished
end
