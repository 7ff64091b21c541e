-- The limits changed: everybody who waits for this queue looks again. Needs: start, Q, queue
for _, set in ipairs({ 'wait', 'rwait' }) do
  for _, who in ipairs(call('ZRANGE', Q .. set, 0, -1)) do call('PUBLISH', H .. 'wake:' .. who, queue) end
  call('DEL', Q .. set)
end
