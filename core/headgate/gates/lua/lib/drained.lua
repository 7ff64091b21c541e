-- The policy is gone and nothing of its queue runs: delete what is ours. Job ids stay in RQ's list. Needs: start, policy (Q)
if call('ZCARD', Q .. 'held') == 0 then
  -- include: forget_lanes
  call('DEL', Q .. 'starts', Q .. 'wait', Q .. 'rwait', Q .. 'stats', Q .. 'keys', Q .. 'poison')
  call('SREM', H .. 'draining', queue)
end
