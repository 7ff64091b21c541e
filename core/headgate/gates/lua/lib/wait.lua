-- Refused: say by what, and stand in line where a place or an opening will be given out. Needs: gates. Sets: answer
if line then
  local zset, b, ring = line[1], line[2], line[3]
  local who = b and instance .. ' ' .. queue .. ' ' .. b.weight or instance
  if ring then
    -- The k-th who waits is told the k-th opening, so that pods do not all fire at one instant.
    call('ZREMRANGEBYSCORE', zset, '-inf', now - 500)
    local mine = call('ZSCORE', zset, who)
    local ahead = call('ZCOUNT', zset, '-inf', mine and '(' .. mine or '+inf')
    local weight = b and b.weight or 1
    local at = opens_after(ring, line[4], line[5], weight, weight * ahead)
    if at > open_at then open_at = at end
    call('ZADD', zset, math.ceil(at / 1000), who)
    if b then call('HSET', b.key, 'promised', math.max(b.promised, math.ceil(at / 1000) + 500)) end
  else
    call('ZADD', zset, 'NX', now, who)
    if b then call('HSET', b.key, 'waiting', 1e15) end
  end
end
call('HSET', Q .. 'stats', 'refused_by', blocker, 'refused_at', now, 'refused_until', math.ceil(open_at / 1000))
answer = { 'W', blocker, math.ceil(open_at / 1000), holders }
