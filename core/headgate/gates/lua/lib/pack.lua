-- Needs: publish (document).
local function number(value) return type(value) == 'number' and value or 0 end
local function rate(value)
  if type(value) ~= 'table' then return 0, 0 end
  return value.limit, value.period_ms * 1000
end
local HOLDS = { None = 0, Hold = 1, HoldAndDrain = 2 }
