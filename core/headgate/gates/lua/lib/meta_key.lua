-- Sets: key_in(raw, field): the perKey key in a job's `meta` as the worker's lane_keys.py reads it, or nil: ask the worker.
-- '=<key>': text, or a whole number's digits; '-': there is none. A nil is only slow, a wrong answer would be a wrong gate.
-- Text of a pickle at `at`: as Python decodes it, an error where it would raise or make half a surrogate pair.
local function text_at(raw, at, size)
  local text = string.sub(raw, at, at + size - 1)
  if string.find(text, '[\128-\255]') then
    local rest = text
    for _, form in ipairs({ '[\241-\243][\128-\191][\128-\191][\128-\191]', '\240[\144-\191][\128-\191][\128-\191]',
      '\244[\128-\143][\128-\191][\128-\191]', '[\225-\236\238\239][\128-\191][\128-\191]', '\224[\160-\191][\128-\191]',
      '\237[\128-\159][\128-\191]', '[\194-\223][\128-\191]' }) do
      rest = string.gsub(rest, form, '?')
    end
    assert(not string.find(rest, '[\128-\255]'))
  end
  return text
end
-- include: pickled_key
-- include: json_key

local function key_in(raw, field)
  if #raw > 1024 then return nil end -- bounds what a planted `meta` may cost the store
  local reader = string.byte(raw) == 123 and json_key or walk
  local known, found = pcall(reader, raw, 's' .. field)
  if not known or type(found) == 'string' and #found > 257 then return nil end
  if type(found) ~= 'string' or found == 's' or found == '-' then return found and '-' end
  return '=' .. string.sub(found, 2)
end
