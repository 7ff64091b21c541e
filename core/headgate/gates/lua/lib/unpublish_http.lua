-- The surface and its statistics go. What each identity did is forgotten by itself, after a period at most. Needs: start, queue
local key = H .. 'http:' .. queue
for _, field in ipairs(call('HKEYS', key)) do
  if string.sub(field, 1, 2) == 'n:' then call('DEL', key .. ':denied:' .. string.sub(field, 3)) end
end
call('DEL', key, key .. ':stats')
