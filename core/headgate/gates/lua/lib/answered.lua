-- The same claim again, its reply was lost: the same grant, as long as it is held. Needs: start, policy (Q), slot, nonce.
-- Sets: answer when there is one
local stored = call('HMGET', H .. 'slot:' .. slot, 'nonce', 'grant')
if stored[1] == nonce and stored[2] then
  local lines = {}
  for line in string.gmatch(stored[2], '[^\n]+') do lines[#lines + 1] = line end
  if call('ZSCORE', Q .. 'held', lines[1] .. ':' .. lines[2]) then
    answer = { 'G', lines[1], tonumber(lines[3]), 1, tonumber(lines[4]), { unpack(lines, 5) }, call('HGETALL', P .. ':job:' .. lines[1]) }
  end
end
