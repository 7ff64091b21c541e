-- The only source of time: the store's own clock. Sets: sec, micro, us (microseconds), now (milliseconds)
local time = call('TIME')
local sec, micro = tonumber(time[1]), tonumber(time[2])
local us = sec * 1000000 + micro
local now = math.floor(us / 1000)
