-- The same claim again, its reply was lost: the same grant, as long as it is held. Needs: start, policy (Q), slot, nonce.
-- Sets: answer when there is one
local stored = call('HMGET', H .. 'slot:' .. slot, 'nonce', 'grant')
if stored[1] == nonce and stored[2] then
  local job, given_id, fence, at_revision, rest = string.match(stored[2], '^(.-)\n(.-)\n(.-)\n(%d+)(.*)$')
  if call('ZSCORE', Q .. 'held', job .. ':' .. given_id) then
    local places, keyless, key = {}, string.match(rest, '^(.-)\nk(.*)$') -- the key comes last and may hold anything
    for place in string.gmatch(keyless or rest, '[^\n]+') do places[#places + 1] = place end
    if key then places[#places + 1] = 'k' .. key end
    answer = { 'G', job, tonumber(fence), 1, tonumber(at_revision), places, call('HGETALL', P .. ':job:' .. job) }
  end
end
