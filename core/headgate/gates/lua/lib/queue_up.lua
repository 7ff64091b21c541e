-- Somebody waits, or waited a moment ago, for budget b. Needs: gates. Sets: blocked, ahead, b.carried, b.queued, b.rate_queued
-- blocked: an earlier waiter wants the free places. ahead: starts promised to earlier waiters. carried: a place was kept for us.
local me = instance .. ' ' .. queue .. ' ' .. weight
b.queued = true
b.carried = (tonumber(call('ZSCORE', b.key .. ':held', 'wake:' .. instance .. ':' .. queue .. '#' .. weight)) or 0) > now
if now < b.waiting then blocked = hand_over(b, me) end
if now < b.promised then
  call('ZREMRANGEBYSCORE', b.key .. ':rwait', '-inf', now - 500)
  local mine = call('ZSCORE', b.key .. ':rwait', me)
  for _, other in ipairs(call('ZRANGEBYSCORE', b.key .. ':rwait', '-inf', mine and '(' .. mine or '+inf', 'LIMIT', 0, 64)) do
    ahead = ahead + tonumber(string.match(other, '%d+$'))
  end
end
