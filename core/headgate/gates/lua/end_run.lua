#!lua flags=allow-oom
-- A run ended. Refused when its lease was lost and another run began meanwhile.
-- KEYS[1], ARGV[1-3]: lib/start.lua
-- ARGV[4]  string  task    ARGV[5]  string  run    ARGV[6]  integer fence
-- ARGV[7]  string  ok, failed or deadline
-- Answers {epoch, seq, now, 1 noted, also when it was before, or 0}
-- include: start
-- include: task
if not s.run and s.last_run == ARGV[5] and s.last_fence == ARGV[6] and s.last_outcome ~= 'lost' then
  return { epoch, seq, now, 1 }
end
if not holds(ARGV[5], ARGV[6]) then return { epoch, seq, now, 0 } end
over(ARGV[7], now)
if call('EXISTS', T) == 0 then call('DEL', T .. ':run') end
return { epoch, seq, now, 1 }
