-- Nothing may start: is more to be looked through, or which gate of the keys refuses? Needs: lanes. Sets: answer or blocker
if n < llen or call('EXISTS', Q .. 'open') == 1 then
  answer = { 'K', {} }
elseif llen > 0 then
  local late = call('ZRANGE', Q .. 'late', 0, 0, 'WITHSCORES')
  if late[2] then open_at = tonumber(late[2]) * 1000 end
  holders = call('ZCOUNT', Q .. 'held', alive, '+inf')
  if call('EXISTS', Q .. 'shut') == 1 then
    blocker, line = 'concurrency.perKey', { Q .. 'wait', false }
  elseif late[2] then
    blocker = 'rate.perKey'
  end
end
