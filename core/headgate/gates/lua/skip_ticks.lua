#!lua flags=allow-oom
-- Ticks of the schedule that nobody started, because another run ran: each is counted once, whoever tells.
-- KEYS[1], ARGV[1-3]: lib/start.lua
-- ARGV[4]  string  task
-- ARGV[5..] integer ticks (ms), old ones first
-- Answers {epoch, seq, now, how many were new}
-- include: start
-- include: task
local new = 0
if call('EXISTS', T) == 1 then
  for i = 5, #ARGV do new = new + skip(ARGV[i]) end
end
return { epoch, seq, now, new }
