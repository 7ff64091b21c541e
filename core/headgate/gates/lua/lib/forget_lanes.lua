-- Drop the lane index; every id is still in RQ's list. Needs: start, policy (Q)
for _, set in ipairs({ 'open', 'shut', 'late' }) do
  for _, key in ipairs(call('ZRANGE', Q .. set, 0, -1)) do call('UNLINK', Q .. 'lane:' .. key) end
end
call('UNLINK', Q .. 'open', Q .. 'shut', Q .. 'late', Q .. 'seen', Q .. 'mark')
