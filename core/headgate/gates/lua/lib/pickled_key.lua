-- Needs: text_at. Sets: walk(raw, field): the key in a pickled `meta`, nil or an error when only the worker can say.
-- Follows the opcodes of a dict of plain values (pickle protocols 2 to 5) as Python does; no global is ever loaded.
-- Stack and answer: 's<text>', 'i<whole number>', '-' (another scalar), { of } with of = dict, list or tuple.
local byte, read = string.byte, struct.unpack

local function walk(raw, field)
  assert(byte(raw) == 128 and byte(raw, 2) <= 5)
  local top, marks, memoized, at = 0, { 0 }, 0, 3
  local stack, memo = { false, false, false, false, false }, { false, false, false, false, false, false } -- room made once
  while true do
    local op, floor = byte(raw, at), marks[#marks]
    local value, slot, into, of, size
    at = at + 1
    if op == 140 then -- SHORT_BINUNICODE, the most frequent
      size = byte(raw, at) + 1
      value, at = 's' .. text_at(raw, at + 1, size - 1), at + size
    elseif op == 148 then slot = memoized -- MEMOIZE
    elseif op == 67 or op == 88 or op == 66 then -- SHORT_BINBYTES, BINUNICODE, BINBYTES
      size, at = read(op == 67 and 'B' or '<I4', raw, at)
      value, at = op == 88 and 's' .. text_at(raw, at, size) or '-', at + size
    elseif op == 113 or op == 114 then slot, at = read(op == 113 and 'B' or '<I4', raw, at) -- BINPUT
    elseif op == 104 then value, at = assert(memo[byte(raw, at) + 1]), at + 1 -- BINGET
    elseif op == 106 then value, at = assert(memo[read('<I4', raw, at) + 1]), at + 4
    elseif op == 40 then marks[#marks + 1] = top
    elseif op == 115 then into, of = top - 2, 'dict' -- SETITEM
    elseif op == 97 then into, of = top - 1, 'list' -- APPEND
    elseif op == 117 or op == 101 then -- SETITEMS, APPENDS
      into, of, marks[#marks] = assert(#marks > 1 and floor), op == 117 and 'dict' or 'list', nil
    elseif op == 125 or op == 93 or op == 41 then value = { of = op == 125 and 'dict' or op == 93 and 'list' or 'tuple' }
    elseif op == 116 then value, top, marks[#marks] = { of = 'tuple' }, assert(#marks > 1 and floor), nil
    elseif op >= 133 and op <= 135 then value, top = { of = 'tuple' }, top - (op - 132) -- TUPLE1, 2, 3
    elseif op == 78 or op == 136 or op == 137 then value = '-' -- None, True, False
    elseif op == 71 then value, at = '-', at + 8 -- BINFLOAT
    elseif op == 75 or op == 77 or op == 74 then -- BININT1, 2, 4
      value, at = read(op == 75 and 'B' or op == 77 and '<I2' or '<i4', raw, at)
      value = string.format('i%.0f', value)
    elseif op == 138 and byte(raw, at) <= 6 then -- LONG1
      size = byte(raw, at)
      local number = size > 0 and byte(raw, at + size) > 127 and -256 ^ size or 0
      for i = 1, size do number = number + byte(raw, at + i) * 256 ^ (i - 1) end
      value, at = string.format('i%.0f', number), at + 1 + size
    elseif op == 149 then -- FRAME: of the whole pickle
      assert(at == 4 and read('<I4', raw, 4) == #raw - 11 and read('<I4', raw, 8) == 0)
      at = 12
    else return op == 46 and top == 1 and #marks == 1 and stack[1].of == 'dict' and (stack[1].key or '-') end
    if value then
      assert(top >= floor)
      top, stack[top + 1] = top + 1, value
    elseif slot then
      memoized, memo[slot + 1] = memoized + (memo[slot + 1] and 0 or 1), assert(top > floor and stack[top])
    elseif into then
      assert(into > marks[#marks] and stack[into].of == of and (of == 'list' or (top - into) % 2 == 0))
      for i = into + 1, of == 'dict' and top or 0, 2 do
        assert(type(stack[i]) == 'string') -- a list is no key in Python, a tuple only of plain values
        if stack[i] == field then stack[into].key = stack[i + 1] end
      end
      top = into
    end
    assert(at <= #raw + 1)
  end
end
