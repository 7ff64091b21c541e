-- The job said RateLimited: its scope sleeps. A scope that this job has not got means the queue. Needs: finish, places
local wake_at, scope, asleep = us + tonumber(ARGV[13]) * 1000, ARGV[12], false
for i = 1, #places do
  local place = places[i]
  if scope == 'key' and string.byte(place) == 107 then
    local key = '=' .. string.sub(place, 2)
    call('ZREM', Q .. 'open', key)
    call('ZREM', Q .. 'shut', key)
    call('ZADD', Q .. 'late', math.ceil(wake_at / 1000), key)
    asleep = true
  elseif string.match(place, '^b%d+:(.*)$') == string.match(scope, '^budget/(.*)$') and string.byte(place) == 98 then
    local budget = H .. 'b:' .. string.sub(scope, 8)
    asleep = call('EXISTS', budget) == 1
    if asleep and wake_at > tonumber(call('HGET', budget, 'sleep') or 0) then
      call('HSET', budget, 'sleep', string.format('%.0f', wake_at))
    end
  end
end
if not asleep and declared and wake_at > sleep then
  sleep = wake_at
  call('HSET', H .. 'policy:' .. queue, 'sleep', string.format('%.0f', wake_at))
end
