-- The only source of time: the store's own clock. Needs: call. Sets: sec, micros (six digits), us (microseconds),
-- us_text (the same as text), now (milliseconds), alive ('(' .. now: leases that end later, for ZCOUNT)
local time = call('TIME')
local sec, micros = tonumber(time[1]), string.format('%06d', time[2])
local us, us_text = sec * 1000000 + time[2], time[1] .. micros
local now = (us - us % 1000) / 1000
local alive = '(' .. time[1] .. string.sub(micros, 1, 3)
