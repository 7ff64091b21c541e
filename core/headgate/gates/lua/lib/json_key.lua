-- Sets: json_key(raw, field): the key in a `meta` that json.dumps wrote, as pickled_key answers; nil or an error: ask the worker.
-- cjson takes what Python refuses (hexadecimal, nan, leading zeros, control characters): numbers and text are looked at first.
local function json_key(raw, field)
  if string.find(raw, '[^ -~]') then return nil end
  local bare = string.gsub(string.gsub(raw, '\\.', ''), '"[^"]*"', '')
  if select(2, string.gsub(bare, '[%[{]', '')) > 32 then return nil end
  for word in string.gmatch(bare, '[^%[%]{}:, ]+') do
    local literal = word == 'true' or word == 'false' or word == 'null' or word == '0'
    if not literal and not string.find(word, '^%-?[1-9]%d*$') and not string.find(word, '^%-?[1-9]%d*%.%d+$')
      and not string.find(word, '^%-?0%.%d+$') then
      return nil
    end
  end
  local value = cjson.decode(raw)[string.sub(field, 2)]
  if type(value) == 'string' then return 's' .. value end
  if type(value) ~= 'number' then return '-' end
  if string.find(bare, '.', 1, true) or math.abs(value) > 2 ^ 52 then return nil end
  return string.format('i%.0f', value)
end
